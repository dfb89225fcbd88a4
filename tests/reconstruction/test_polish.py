"""The polish at the end of spi phase, on a crystal whose pattern is blurred."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.apps import spi
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.phasing import alignment
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.partial_coherence import blurred_intensity, point_spread_envelope
from spi_lightning.reconstruction.polish import Polish
from tests.phasing.particles import particle

WIDTHS = {"z": 0.55, "y": 0.3, "x": 0.45}
RECIPE = ["phasing.recipe=60*HIO(0.9) + 40*ER", "phasing.constraint=complex"]


def counted(density: torch.Tensor) -> torch.Tensor:
    """Photons of the pattern of a density, blurred by partial coherence."""
    ndim = density.ndim
    intensity = fourier(density.to(torch.complex128), ndim).abs().square()
    widths = torch.tensor([list(WIDTHS.values())[-ndim:]], dtype=torch.float64)
    expected = blurred_intensity(intensity[None], point_spread_envelope(widths, density.shape))[0].clamp_min(0)
    return torch.poisson(expected * 1e6 / expected.max(), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    density, support = particle(20, 3, seed=1, complex_=True)
    np.save(tmp_path / "inside.npy", support.numpy())
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"], file["theta_deg"] = counted(density).numpy().astype(np.uint32), 0.3 - 0.01 * np.arange(20)
    return tmp_path / "scan.h5"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    density, support = particle(32, 2, seed=1, complex_=True)
    np.save(tmp_path / "inside.npy", support.numpy())
    np.save(tmp_path / "image.npy", counted(density).numpy())
    return tmp_path / "image.npy"


def run(monkeypatch: pytest.MonkeyPatch, path: Path, *words: str) -> tuple[dict[str, Any], Path]:
    folder = path.parent / "run"
    volume = ["data=one_scan", "data.preparation.size=20", "data.preparation.bin=1", "data.preparation.threshold=0"]
    usual = volume if path.suffix == ".h5" else ["data.beam_centre=[16,16]", "data.crop=32"]
    usual += [f"data.path={path}", f"support={path.parent / 'inside.npy'}", "starts=2"]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["phase", f"hydra.run.dir={folder}", *usual, *words])
    spi.run("phase")
    return json.loads((folder / "metrics.json").read_text()), folder


def density_error(folder: Path) -> float:
    truth = particle(20, 3, seed=1, complex_=True)[0]
    found = torch.from_numpy(read_cxi_image(folder / "result.cxi").density).to(truth)
    overlap = float(alignment(found[None], truth, subpixel=True).overlap[0])
    return math.sqrt(max(0.0, 1 - overlap**2))


def test_a_blurred_crystal_is_polished_and_its_blur_noted(
    scan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, folder = run(monkeypatch, scan, *RECIPE, "polish_steps=0")
    error, page = density_error(folder), (folder / "report.html").read_text()
    curves = read_cxi_image(folder / "result.cxi").results["error"]
    assert "polish_steps" not in plain and "partial coherence" not in page and "after the polish" not in page
    found, folder = run(monkeypatch, scan, *RECIPE)  # polish_steps=auto
    assert 10 <= found["polish_steps"] <= 200 and density_error(folder) < 0.5 * error
    for name in ("fourier_error/best", "fourier_error/of_mean", "r_factor/best", "held_out_error/best"):
        assert found[name] < 0.6 * plain[name], name
    for axis, width in WIDTHS.items():
        assert found[f"point_spread/{axis}"] == pytest.approx(width, abs=0.06)
    results = read_cxi_image(folder / "result.cxi").results
    assert results["point_spread"].shape == (2, 3) and results["error"].shape == (100, 2)
    np.testing.assert_allclose(results["error"], curves)
    line = "blur by partial coherence along z, y, x: 0."
    page = (folder / "report.html").read_text()
    assert line in capsys.readouterr().out and line in page and "a start after the polish" in page
    assert "blurred as the pattern is" in page and "along z, root mean square (pixels of the pattern)" in page


def test_a_plane_is_polished_by_a_setting(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, _ = run(monkeypatch, image, *RECIPE)
    assert "polish_steps" not in numbers
    polished, folder = run(monkeypatch, image, *RECIPE, "polish_steps=150", "halves=true")
    assert polished["fourier_error/best"] < 0.6 * numbers["fourier_error/best"]
    assert "point_spread/z" not in polished
    assert polished["point_spread/y"] == pytest.approx(WIDTHS["y"], abs=0.1)
    assert polished["point_spread/x"] == pytest.approx(WIDTHS["x"], abs=0.1)
    assert read_cxi_image(folder / "result.cxi").results["point_spread"].shape == (2, 2)


def test_a_polish_that_held_out_voxels_do_not_confirm_and_a_blur_at_its_limit_are_noted() -> None:
    kept, spread = torch.tensor([True, True]), torch.tensor([[0.1, 0.2, 1.386], [0.3, 0.4, 1.386]])
    finish = Polish(torch.tensor([0.1, 0.1]), torch.tensor([0.2, 0.3]), torch.tensor([0.3, 0.3]), spread, 50, 1.0)
    messages = list(map(str, finish.notes(1, kept, 0.1, 0.4, "voxel")))
    assert (
        "from 0.3 to 0.1, on held-out voxels from 0.3 to 0.4; what it fits there is not confirmed here" in messages[0]
    )
    assert messages[1].startswith("blur by partial coherence along z, y, x: 0.20, 0.30, 1.39 pixels")
    assert "1.39 is the widest that can be fitted" in messages[1]
    (fewer_notes,) = map(str, replace(finish, point_spread=None).notes(0, kept, 0.1, math.nan, "voxel"))
    assert fewer_notes.endswith("from 0.2 to 0.1")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([*RECIPE, "polish_steps=-1"], "polish_steps=-1 must not be negative"),
        ([*RECIPE, "polish_steps=2.5"], "polish_steps=2.5 must be a whole number or auto"),
        ([*RECIPE, "polish_steps=x"], "polish_steps=x must be a whole number or auto"),
        ([*RECIPE, "polish_steps=inf"], "polish_steps=inf must be a whole number or auto"),
        ([*RECIPE, "polish_steps=null"], "polish_steps=null must be a whole number or auto"),
        ([*RECIPE, "polish_steps=true"], "polish_steps=true must be a whole number or auto"),
        (
            [*RECIPE, "polish_steps=5", "point_spread=3"],
            "point_spread=3: give pixels from 0 to 1.39, or null for no blur",
        ),
        ([*RECIPE, "polish_steps=5", "point_spread=-0.1"], "point_spread=-0.1: give pixels"),
        ([*RECIPE, "polish_steps=5", "point_spread=x"], "point_spread=x must be a number or null"),
        (
            ["polish_steps=5", "phasing.constraint=positive"],
            "polish_steps=5 would leave phasing.constraint=positive: give polish_steps=0, or phasing.constraint=c",
        ),
    ],
)
def test_mistakes_get_one_line(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(monkeypatch, image, *words)
    assert leaving.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and line in error and not (image.parent / "run").exists()
