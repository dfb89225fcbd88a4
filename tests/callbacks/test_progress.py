"""Progress bar of a training, and live display of a refinement."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from spi_lightning.apps.train import train
from spi_lightning.callbacks import Progress
from spi_lightning.reports.live_slices import central_planes, coloured, half_blocks, live_sketch
from tests.tasks.refining.test_refinement import config, scan


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "message"),
    [(-1, 400, "Epoch 12, step 30 of 400"), (None, -1, "Epoch 12"), (20, -1, "Epoch 12/19")],
)
def test_no_epoch_of_minus_two(max_epochs: int | None, max_steps: int, message: str) -> None:
    bar: Any = Progress()
    bar._trainer = SimpleNamespace(max_epochs=max_epochs, max_steps=max_steps, global_step=30)
    assert bar._get_train_description(12).strip() == message


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
