import json
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.results import TrainingResult, read

ROWS = """epoch,step,train/loss,val/auroc,val/loss
0,10,,0.6,0.7
0,10,0.8,,
1,20,,0.8,0.5
1,20,0.6,,
"""


def test_rows_that_share_a_step_are_sorted_into_curves(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(ROWS)
    result = read(tmp_path)
    assert isinstance(result, TrainingResult) and not result.metrics and not result.settings
    assert [str(note) for note in result.notes] == ["The run has not ended: there is no metrics.json"]
    assert {name: (s.tolist(), v.tolist()) for name, (s, v) in result.curves.items()} == {
        "train/loss": ([10, 20], [0.8, 0.6]),
        "val/auroc": ([10, 20], [0.6, 0.8]),
        "val/loss": ([10, 20], [0.7, 0.5]),
    }


def test_a_run_that_has_ended_has_numbers_and_settings(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(ROWS)
    (tmp_path / "metrics.json").write_text(json.dumps({"val/loss": 0.5}))
    (tmp_path / "config.yaml").write_text("optimizer: {lr: 0.01}\nobjective: val/auroc\n")
    result = TrainingResult.load(tmp_path)
    assert result.metrics == {"val/loss": 0.5} and not result.notes
    assert repr(result).splitlines() == ["TrainingResult", "  steps  21", "  loss   0.5 (validation)"]
    assert result.plot().axes[0].get_ylabel() == "loss"
    with pytest.raises(UserError, match="name=phases: the run has loss, ranking"):
        result.plot(name="phases")
    assert result.settings == {"optimizer": {"lr": 0.01}, "objective": "val/auroc"}


def test_the_summary_has_what_was_trained_and_few_numbers(tmp_path: Path) -> None:
    names = ("frames", "loss", "accuracy", "recall", "precision", "auroc", "confusion")
    numbers = {f"{stage}/{name}": 0.25 for stage in ("val", "test") for name in names}
    numbers |= {"val/frames": 32, "test/frames": 32, "val/confusion": [[1, 0], [0, 1]], "test/confusion": [], "x": 1.0}
    (tmp_path / "metrics.csv").write_text(ROWS)
    (tmp_path / "metrics.json").write_text(json.dumps(numbers | {"train/steps": 400}))
    (tmp_path / "config.yaml").write_text(
        "task: {_target_: a.HitClassification}\nnetwork: {_target_: b.TinyCNN}\nobjective: val/auroc\n"
    )
    assert repr(read(tmp_path)).splitlines() == [
        "TrainingResult",
        "  task      HitClassification",
        "  network   TinyCNN",
        "  steps     400",
        "  loss      0.25 (validation), 0.25 (test)",
        "  auroc     0.25 (validation), 0.25 (test)",
        "  accuracy  0.25 (validation), 0.25 (test)",
        "  recall    0.25 (validation), 0.25 (test)",
        "  metrics   16, in .metrics",
    ]


def test_settings_that_name_objects_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(ROWS)
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UserError, match=r"config\.yaml: cannot be read as settings of a run"):
        read(tmp_path)
