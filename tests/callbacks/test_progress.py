"""Progress bar of a training, and live display of a refinement."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.image import imread
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.loggers import CSVLogger
from rich.console import Console
from torch.utils.data import DataLoader, TensorDataset

from spi_lightning.apps.train import train
from spi_lightning.callbacks import Progress
from spi_lightning.reports.live_slices import central_planes, coloured, half_blocks, live_sketch
from tests.tasks.refining.test_refinement import config, scan


class Line(pl.LightningModule):
    """One weight, trained on anything."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        return self.line(batch[0]).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Recording(Progress):
    """Progress that keeps description, batches done and batches of the run after every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, float, float | None]] = []

    def on_train_batch_end(self, *arguments: Any) -> None:
        super().on_train_batch_end(*arguments)
        assert self.progress is not None
        task = self.progress.tasks[0]
        self.seen.append((task.description.strip().removeprefix("[white]"), task.completed, task.total))


@pytest.mark.parametrize(
    ("ends", "first", "last"),
    [
        ({"max_epochs": 3}, ("Epoch 1 of 3", 1, 12), ("Epoch 3 of 3", 12, 12)),
        ({"max_epochs": -1, "max_steps": 6}, ("Epoch 1 of 2", 1, 6), ("Epoch 2 of 2", 6, 6)),
        ({"max_epochs": 3, "max_steps": 100}, ("Epoch 1 of 3", 1, 12), ("Epoch 3 of 3", 12, 12)),
    ],
)
def test_the_bar_counts_the_whole_run(ends: dict[str, int], first: tuple, last: tuple) -> None:
    bar, data = Recording(), DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu"}
    pl.Trainer(**ends, callbacks=[bar], enable_model_summary=False, **options).fit(Line(), data)
    assert bar.seen[0] == first and bar.seen[-1] == last


def test_the_version_of_a_logger_is_not_beside_the_bar(tmp_path: Path) -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=CSVLogger(tmp_path, version="f6ym"), enable_progress_bar=False)
    assert "v_num" in RichProgressBar().get_metrics(trainer, Line())
    assert "v_num" not in Progress().get_metrics(trainer, Line())


def test_a_resumed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data = DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)
    options: dict[str, Any] = {"logger": False, "accelerator": "cpu", "default_root_dir": tmp_path}
    one = pl.Trainer(max_epochs=1, callbacks=[Recording()], enable_model_summary=False, **options)
    one.fit(Line(), data)
    one.save_checkpoint(tmp_path / "last.ckpt")
    bar = Recording()
    trainer = pl.Trainer(max_epochs=2, callbacks=[bar], enable_model_summary=False, **options)
    trainer.fit(Line(), data, ckpt_path=tmp_path / "last.ckpt")
    assert bar.seen[0] == ("Epoch 2 of 2", 5, 8) and bar.seen[-1] == ("Epoch 2 of 2", 8, 8)


__all__ = ["scan"]  # a fixture


def particle() -> np.ndarray:
    z, y, x = np.indices((12, 9, 10)) - 4.5
    density: np.ndarray = np.exp(-(z**2 + y**2 + x**2) / 8 + 0.3j * x)
    return density


def test_brightness_is_amplitude_and_a_constant_phase_is_removed() -> None:
    colours = coloured(particle()[6])
    assert colours.shape == (9, 10, 3) and colours.min() >= 0 and colours.max() <= 1
    assert colours[0, 0].max() < 0.1 < colours[4, 4].max()
    for one, other in zip(central_planes(particle()), central_planes(particle() * np.exp(2j)), strict=True):
        np.testing.assert_allclose(one, other)


def test_two_pixels_in_a_character() -> None:
    red, blue = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    sketch = half_blocks([np.array([[red, red], [blue, blue], [red, blue]])])
    assert sketch.plain == "▀▀\n▀▀"
    styles = [str(span.style) for span in sketch.spans]
    assert styles == ["#ff0000 on #0000ff"] * 2 + ["#ff0000 on #000000", "#0000ff on #000000"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_sketch_fits_the_terminal(width: int) -> None:
    lines = live_sketch(particle(), width).plain.split("\n")
    assert len(lines) <= 12 and max(len(line) for line in lines) <= width


def test_a_refinement_shows_it_below_the_bar_and_leaves_its_last_picture(
    tmp_path: Path, scan: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    bar = ("callbacks.progress={_target_: spi_lightning.callbacks.Progress}", "trainer.enable_progress_bar=true")
    train(config(tmp_path, f"data.path={scan}", "task.epochs=20", "task.polish_steps=0", *bar))
    assert imread(tmp_path / "run/live.png").shape[2] == 4
    assert capsys.readouterr().out.count("▀") > 20


def test_a_log_has_lines_on_the_whole_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("spi_lightning.progress._INTERVAL", 0.0)
    data = DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_epochs=3, callbacks=[Progress()], enable_model_summary=False, **options)
    trainer.fit(Line(), data)
    lines = [line for line in capsys.readouterr().out.splitlines() if " of 12" in line]
    assert lines[0].startswith("Epoch 1 of 3: 1 of 12") and lines[-1].startswith("Epoch 3 of 3: 12 of 12")
    assert len(lines) == 12 and "remaining" in lines[-2] and not any("[" in line for line in lines)
