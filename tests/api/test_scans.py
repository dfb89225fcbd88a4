"""A rocking scan from an array and a file to displacement and strain along Q."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning import UserError, measure_scan, phase, read
from spi_lightning.codec import load, save
from spi_lightning.reconstruction import Measurement
from spi_lightning.results import PhasingResult

GEOMETRY = {
    "photon_energy": 9000.0,
    "distance": 0.5,
    "pixel_size": 55e-6,
    "delta_deg": 32.0,
    "gamma_deg": 12.0,
    "step_deg": 0.01,
}
RECIPE = "10*ER + 2*(10*HIO(0.9) + 10*ER)"


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """Counts (frames, rows, columns) of a box with a phase that bends along its rows."""
    z, y, x = np.indices((24, 24, 24)) - 12
    inside = (np.abs(z) < 3) & (np.abs(y) < 4) & (np.abs(x) < 4)
    density = inside * np.exp(0.05j * y**2)
    wave = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(density)))
    expected = np.abs(wave) ** 2
    return np.random.default_rng(0).poisson(1e5 * expected / expected.max())


@pytest.fixture(scope="module")
def result(counts: np.ndarray) -> PhasingResult:
    measured = measure_scan(counts, geometry=GEOMETRY, size=24, bin=1)
    return phase(measured, constraint="complex", support="box", recipe=RECIPE, starts=2, progress=False, polish_steps=5)


def test_a_scan_becomes_a_crystal_with_strain(result: PhasingResult, tmp_path: Path) -> None:
    crystal = result.in_laboratory()
    assert crystal.strain.shape == crystal.support.shape
    assert 0 < crystal.numbers["strain_rms"] < 1e-2
    assert "along Q" in repr(crystal)
    assert crystal.plot()._repr_png_()
    assert "frame, row and column" in repr(result)
    again = load(save(tmp_path / "phasing.h5", result), PhasingResult).in_laboratory()
    np.testing.assert_array_equal(again.strain, crystal.strain)
    assert isinstance(read(tmp_path), PhasingResult)


def test_a_path_of_a_scan_is_phased_in_3d(counts: np.ndarray, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"] = counts
    options = {"constraint": "complex", "support": "box", "starts": 1, "progress": False, "polish_steps": 0}
    found = phase(tmp_path / "scan.h5", crop=16, recipe="2*ER", geometry=GEOMETRY, **options)
    assert found.density.shape == (16, 16, 16)
    assert found.known
    assert phase(tmp_path / "scan.h5", frame=12, recipe="2*ER", starts=1, progress=False).density.ndim == 2
    assert not any("data." in str(note) for note in found.notes)


def test_a_recipe_has_a_name_and_brings_its_constraint(counts: np.ndarray) -> None:
    measured = Measurement.from_intensity(counts[4:20, 4:20, 4:20])
    found = phase(measured, recipe="cohere_S0054", support="box", starts=1, progress=False, polish_steps=0)
    assert found.about.constraint == "complex"
    with pytest.raises(UserError, match="no geometry"):
        found.in_laboratory()


def test_one_pattern_is_no_scan() -> None:
    with pytest.raises(UserError, match=r"shape \(8, 8\); give counts .*; phase\(pattern\) takes one"):
        measure_scan(np.ones((8, 8)))


def test_an_unknown_setting_is_one_line(counts: np.ndarray) -> None:
    with pytest.raises(UserError, match="bins is unknown"):
        measure_scan(counts, bins=1)
    with pytest.raises(UserError, match="dark is unknown"):
        measure_scan(counts, dark="dark.tif")
