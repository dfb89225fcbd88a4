"""The authors' layout, written as each of their scripts writes it: with the trap and without."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY
from spi_lightning.io import PatternFile, PatternKeys, open_patterns, read_intensities
from spi_lightning.physics.twin import canonical


@pytest.fixture
def density() -> np.ndarray:
    random, images = np.random.default_rng(0), np.zeros((5, 32, 32))
    images[:, 10:20, 12:22] = random.random((5, 10, 10))
    return images


def write(path: Path, **sets: np.ndarray) -> PatternFile:
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name] = values
    return open_patterns(path, check=False)


def wave(density: np.ndarray) -> np.ndarray:
    """As condor writes it: the origin at n // 2."""
    return np.fft.fftshift(np.fft.fftn(density, axes=(1, 2)), axes=(1, 2))


def pattern(density: np.ndarray) -> np.ndarray:
    intensity = np.abs(wave(density)) ** 2
    return np.asarray(intensity / intensity.max((1, 2), keepdims=True))


@pytest.mark.parametrize("key", ["real_space", "intensity"])
def test_the_squared_density_trap_is_found_and_avoided(tmp_path: Path, density: np.ndarray, key: str) -> None:
    file = write(tmp_path / "t.h5", data_fourier=np.fft.ifftn(density, axes=(1, 2)), **{key: density})
    assert sum("squared density" in str(note) for note in file.notes) == 1
    frames = np.array([3, 0, 3])
    np.testing.assert_allclose(read_intensities(file, frames).values, pattern(density)[frames], atol=1e-6)
    expected = canonical(torch.from_numpy(density / density.max((1, 2), keepdims=True)), ndim=2).numpy()
    np.testing.assert_allclose(file.read_image(DENSITY, frames), expected[frames], atol=1e-6)
    again = pickle.loads(pickle.dumps(file))
    np.testing.assert_allclose(again.read_image(DENSITY, [4]), expected[4:], atol=1e-6)


def test_pattern_and_density_are_transforms_of_each_other(tmp_path: Path, density: np.ndarray) -> None:
    file = write(tmp_path / "t.h5", data_fourier=np.fft.ifftn(density, axes=(1, 2)), real_space=density)
    read = file.read_image(DENSITY, np.arange(5)).astype(np.float64)
    np.testing.assert_allclose(pattern(read), read_intensities(file, np.arange(5)).values, atol=1e-5)


def test_a_true_wave_is_no_trap(tmp_path: Path, density: np.ndarray) -> None:
    file = write(tmp_path / "t.h5", data_fourier=wave(density), real_space=density)
    assert DENSITY in file.images and not any("squared" in str(note) for note in file.notes)
    np.testing.assert_allclose(read_intensities(file, np.arange(5)).values, pattern(density), atol=1e-6)


def test_the_condor_layout_has_no_density(tmp_path: Path, density: np.ndarray) -> None:
    file = write(tmp_path / "t.h5", data_fourier=wave(density), intensity=np.abs(wave(density)) ** 2)
    assert not file.images
    np.testing.assert_allclose(read_intensities(file, np.arange(5)).values, pattern(density), atol=1e-6)


def test_a_single_frame_and_broken_pixels(tmp_path: Path, density: np.ndarray) -> None:
    broken = wave(density)
    broken[0, 5, 6] = np.nan
    file = write(tmp_path / "a.h5", data_fourier=broken[0], real_space=density[0])
    read = read_intensities(file, [0])
    assert read.broken.tolist() == [1] and not read.mask[0, 5, 6] and read.values[0].max() == 1


def test_a_named_data_set_is_read_as_it_is(tmp_path: Path, density: np.ndarray) -> None:
    write(tmp_path / "t.h5", data_fourier=np.fft.ifftn(density, axes=(1, 2)), intensity=density)
    file = open_patterns(tmp_path / "t.h5", PatternKeys(photons="intensity"), check=False)
    np.testing.assert_allclose(read_intensities(file, [2]).values, density[2:3], rtol=1e-6)


def test_mistakes_are_one_line(tmp_path: Path, density: np.ndarray) -> None:
    inverse = np.fft.ifftn(density, axes=(1, 2))
    with pytest.raises(UserError, match="does not fit"):
        write(tmp_path / "b.h5", data_fourier=inverse, real_space=density[:3])
    with pytest.raises(UserError, match="complex, so phased"):
        write(tmp_path / "c.h5", data_fourier=inverse)
    mixed = inverse.copy()
    mixed[4] = np.fft.fftn(density[4])
    with pytest.raises(UserError, match="some frames only"):
        write(tmp_path / "d.h5", data_fourier=mixed, real_space=density)
