from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.data.scans.known_object import coarsen, count_known_object, read_object
from spi_lightning.errors import UserError
from spi_lightning.io.volumes.cxi_image import CxiImage, write_cxi_image
from spi_lightning.physics.fourier import fourier


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "object.h5"
    amplitude = np.zeros((9, 8, 7), np.float16)
    amplitude[2:7, 2:6, 2:5] = 1
    with h5py.File(path, "w") as file:
        file["amplitude"], file["phase"] = amplitude, 0.5 * amplitude
    return path


def test_coarse_voxels_keep_the_middle_of_the_transform() -> None:
    density = torch.polar(torch.rand(8, 8, 8), torch.rand(8, 8, 8))
    coarse = coarsen(density, 2, 8)
    fine = fourier(torch.nn.functional.pad(density, [4] * 6), 3)[4:12, 4:12, 4:12]
    ratio = fourier(coarse, 3) / fine
    torch.testing.assert_close(ratio, ratio.real.mean().expand(8, 8, 8) + 0j, atol=1e-3, rtol=1e-3)
    assert coarse.abs().max() == pytest.approx(1)


def test_pattern_and_density_belong_together(stored: Path) -> None:
    clean = count_known_object(stored, size=16, factor=1)
    amplitude = fourier(clean.density, 3).abs()
    torch.testing.assert_close(clean.pattern.fourier_amplitude, amplitude / amplitude.max(), atol=1e-5, rtol=1e-4)
    counted, again = (count_known_object(stored, 16, 1, peak_photons=1e4, seed=3).pattern.photons for _ in range(2))
    assert torch.equal(counted, again)
    assert torch.equal(counted, counted.round())
    assert 9.5e3 < counted.max() < 1.05e4


def test_cxi_images_are_objects_too(stored: Path, tmp_path: Path) -> None:
    density = read_object(stored)
    path = write_cxi_image(tmp_path / "object.cxi", CxiImage(density.numpy(), density.abs().numpy() > 0))
    torch.testing.assert_close(read_object(path), density)


def test_bad_objects_are_named(stored: Path) -> None:
    with pytest.raises(UserError, match="do not fit"):
        count_known_object(stored, size=8, factor=1)
    with pytest.raises(UserError, match="positive"):
        count_known_object(stored, size=16, factor=1, peak_photons=0.0)
    with h5py.File(stored, "r+") as file:
        file["phase"][0, 0, 0] = np.nan
    with pytest.raises(UserError, match="finite"):
        read_object(stored)
    with h5py.File(stored, "w") as file:
        file["amplitude"] = np.ones((2, 2, 2))
    with pytest.raises(UserError, match="phase"):
        read_object(stored)
