from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.tasks import find_checkpoint, load_task
from spi_lightning.weights import ModelCard, Result, ensemble_of, read_card, ship, shipped_names
from spi_lightning.weights.listing import card_lines
from tests.weights.shelf import empty_shelf

TASK = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {"_target_": "spi_lightning.networks.ResNet10", "depths": [1, 2], "widths": [4, 8]},
    "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}
CARD = ModelCard(
    name="small",
    summary="Single hit or not.",
    input="64 x 64 cells",
    network="ResNet-10, 1,000 weights",
    data="simulate=hits",
    commands=["spi train experiment=small"],
    commit="0123abc",
    objective="val/auroc",
    threshold=0.5,
    results=[Result("500 frames of a test", "auroc", 0.97, [0.95, 0.98], "python -m benchmarks.small")],
    domain=["photons above 100"],
    failures=["rods that lie along the beam"],
    licence="BSD-3-Clause",
    sha256="",
)


def run(folder: Path, seed: int, task: dict = TASK) -> Path:
    torch.manual_seed(seed)
    path = folder / f"seed{seed}.ckpt"
    torch.save({"state_dict": instantiate(task).state_dict(), "config": {"task": task, "seed": seed}}, path)
    return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_shelf(tmp_path / "weights", monkeypatch)


def test_an_ensemble_of_runs_is_shipped_and_taken_by_its_name(tmp_path: Path, shelf: Path) -> None:
    runs = [run(tmp_path, seed) for seed in range(3)]
    config, weights = ensemble_of(runs)
    shipped = ship(CARD, weights, config)
    assert shipped_names() == ["small"] and read_card("small") == shipped
    shipped.require_whole()
    task, _ = load_task(find_checkpoint("small"), instantiate)
    patterns = torch.rand(5, 1, 32, 32)
    members = [load_task(path, instantiate)[0].network(patterns) for path in runs]
    torch.testing.assert_close(task.network(patterns), torch.stack(members).mean(0))
    text = "\n".join(card_lines(shipped))
    assert "auroc 0.97 [0.95, 0.98], 500 frames of a test" in text and "rods that lie along the beam" in text


def test_networks_of_two_kinds_are_no_ensemble(tmp_path: Path) -> None:
    wider = {**TASK, "network": {**TASK["network"], "widths": [4, 16]}}
    with pytest.raises(UserError, match="another way"):
        ensemble_of([run(tmp_path, 0), run(tmp_path, 1, wider)])


def test_a_file_that_is_not_the_one_of_its_card_is_refused(tmp_path: Path, shelf: Path) -> None:
    shipped = ship(CARD, *reversed(ensemble_of([run(tmp_path, 0)])))
    ship(CARD, *reversed(ensemble_of([run(tmp_path, 1)])))
    with pytest.raises(UserError, match="sha256"):
        shipped.require_whole()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [("licence:", "license:", "licen"), ("value: 0.97", "value: good", "value"), ("results:", "resuls:", "resul")],
)
def test_an_incomplete_card_names_its_field(tmp_path: Path, shelf: Path, before: str, after: str, message: str) -> None:
    ship(CARD, *reversed(ensemble_of([run(tmp_path, 0)])))
    path = shelf / "small.yaml"
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(UserError, match=message):
        read_card("small")


def test_an_unknown_name_lists_what_there_is(shelf: Path) -> None:
    with pytest.raises(UserError, match="do not come with the package"):
        read_card("generall")
    with pytest.raises(UserError, match="spi weights"):
        find_checkpoint("generall")
