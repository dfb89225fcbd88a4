"""The authors' layout, written by each of their scripts in words: with the trap and without."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.spinn import open_spinn


@pytest.fixture
def density() -> np.ndarray:
    random, images = np.random.default_rng(0), np.zeros((5, 32, 32))
    images[:, 10:20, 12:22] = random.random((5, 10, 10))
    return images


def write(path: Path, **sets: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name] = values
    return path


def pattern(density: np.ndarray) -> np.ndarray:
    intensity = np.abs(np.fft.fftshift(np.fft.fftn(density, axes=(1, 2)), axes=(1, 2))) ** 2
    return np.asarray(intensity / intensity.max((1, 2), keepdims=True))


@pytest.mark.parametrize("key", ["real_space", "intensity"])
def test_the_squared_density_trap_is_found_and_avoided(tmp_path: Path, density: np.ndarray, key: str) -> None:
    wave = np.fft.ifftn(density, axes=(1, 2))
    file = open_spinn(write(tmp_path / "t.h5", data_fourier=wave, **{key: density}))
    assert file.trap and any("squared density" in note for note in file.notes)
    frames = np.array([3, 0, 3])
    np.testing.assert_allclose(file.intensity(frames), pattern(density)[frames], atol=1e-6)
    top = density.max((1, 2), keepdims=True)
    np.testing.assert_allclose(file.density(frames), (density / top)[frames], atol=1e-6)
    literal = file.authors_intensity(frames)
    np.testing.assert_allclose(literal, np.fft.fftshift((density / top) ** 2, axes=(1, 2))[frames], atol=1e-6)


def test_a_true_wave_is_no_trap(tmp_path: Path, density: np.ndarray) -> None:
    wave = np.fft.fftshift(np.fft.fftn(density, axes=(1, 2)), axes=(1, 2))
    file = open_spinn(write(tmp_path / "t.h5", data_fourier=wave, real_space=density))
    assert not file.trap and not any("squared" in note for note in file.notes)
    np.testing.assert_allclose(file.intensity(np.arange(5)), pattern(density), atol=1e-6)


def test_the_condor_layout_has_no_density(tmp_path: Path, density: np.ndarray) -> None:
    wave = np.fft.fftshift(np.fft.fftn(density, axes=(1, 2)), axes=(1, 2))
    file = open_spinn(write(tmp_path / "t.h5", data_fourier=wave, intensity=np.abs(wave) ** 2))
    assert not file.trap and file.density_key is None
    with pytest.raises(UserError, match="no densities"):
        file.density(np.array([0]))


def test_mistakes_are_one_line(tmp_path: Path, density: np.ndarray) -> None:
    wave = np.fft.ifftn(density, axes=(1, 2))
    with pytest.raises(UserError, match="'data_fourier' is not in the file"):
        open_spinn(write(tmp_path / "a.h5", other=density))
    with pytest.raises(UserError, match="does not fit"):
        open_spinn(write(tmp_path / "b.h5", data_fourier=wave, real_space=density[:3]))
    with pytest.raises(UserError, match="neither real_space nor intensity"):
        open_spinn(write(tmp_path / "c.h5", data_fourier=wave))
    mixed = wave.copy()
    mixed[4] = np.fft.fftn(density[4])
    with pytest.raises(UserError, match="some frames only"):
        open_spinn(write(tmp_path / "d.h5", data_fourier=mixed, real_space=density))
    file = open_spinn(write(tmp_path / "e.h5", data_fourier=wave, real_space=density))
    with pytest.raises(UserError, match="frames 0 to 4"):
        file.intensity(np.array([5]))
