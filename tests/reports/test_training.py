import json

import pytest

from spi_lightning.errors import UserError
from spi_lightning.reports import write_report, write_training_figures

ROWS = """epoch,step,train/loss,val/auroc,val/loss
0,10,,0.6,0.7
0,10,0.8,,
1,20,,0.8,0.5
1,20,0.6,,
"""


def test_figures_go_into_the_run_folder(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text(ROWS)
    written = write_training_figures(tmp_path)
    assert [path.name for path in written] == ["loss.svg", "ranking.svg"]
    assert all(path.read_text().startswith("<?xml") for path in written)


def test_the_page_of_a_run_has_numbers_and_curves(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text(ROWS)
    text = write_report(tmp_path).read_text()
    assert "has not ended" in text and "at step 20 of 20 so far." in text
    (tmp_path / "metrics.json").write_text(json.dumps({"test/auroc": 0.8123, "val/loss": 0.5, "test/confusion": [[1]]}))
    text = write_report(tmp_path).read_text()
    assert (
        text.index("The validation loss was least, 0.5, at step 20 of 20.") < text.index("<img") < text.index("0.8123")
    )
    assert "0.8123" in text and "Learning curves" in text and "Not in the run folder: versions.json" in text


@pytest.mark.parametrize(("text", "message"), [(None, "no such file"), ("a,b\n1,2\n", "no column 'step'")])
def test_no_training_run_is_a_user_error(tmp_path, text, message) -> None:
    if text is not None:
        (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        write_training_figures(tmp_path)


def test_a_run_without_numbers_yet_has_no_figures(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step\n")
    assert write_training_figures(tmp_path) == []


def test_runs_of_supports_draw_what_they_measure(tmp_path) -> None:
    names = ("covered", "worst_structure", "false_positives", "asymmetry", "true_asymmetry", "correlation")
    head, rows = ",".join(f"val/{name}" for name in names), (f"{0.1 * n}," * 5 + "0.5" for n in range(3))
    body = "".join(f"{n},{10 * n},{row}\n" for n, row in enumerate(rows))
    (tmp_path / "metrics.csv").write_text(f"epoch,step,{head}\n{body}")
    written = write_training_figures(tmp_path)
    assert [path.stem for path in written] == ["supports", "loose_pixels", "twin", "density"]
    (tmp_path / "metrics.json").write_text(json.dumps({"val/covered": 0.975}))
    assert "supports complete" in write_report(tmp_path).read_text()


def test_refinements_draw_how_they_fit_the_pattern(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "epoch,step,val/loss,val/correlation,val/correlation_modified\n0,1,0.2,0.9,0.91\n0,2,0.1,0.95,0.96\n"
    )
    assert [path.stem for path in write_training_figures(tmp_path)] == ["loss", "fit"]
