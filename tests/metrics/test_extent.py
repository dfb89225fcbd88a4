import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from spi_lightning.metrics.extent import widths
from spi_lightning.physics.array import surface_level


def test_a_rod_has_its_length_and_width_in_any_orientation() -> None:
    y, x = np.mgrid[-100:100, -100:100] + 0.5
    for angle in np.radians([0, 30, 77]):
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        rod = (np.abs(along) < 60) & (np.abs(across) < 15)
        long, short = widths(rod, 0.5, [0.5, 0.5])
        assert long == pytest.approx(np.hypot(60, 15), abs=1) and short == pytest.approx(15, abs=1)


def test_an_ellipsoid_is_as_wide_as_its_axes_whatever_the_edges_of_the_voxels() -> None:
    z, y, x = np.mgrid[-20:20, -20:20, -20:20] + 0.5
    inside = (2 * z / 60) ** 2 + (4 * y / 80) ** 2 + (1 * x / 15) ** 2 < 1  # half axes of 60, 80 and 15
    assert widths(inside, 0.5, [2, 4, 1]) == pytest.approx((160, 30), abs=2.5)
    assert widths(inside[10:10], 0.5, [1, 1, 1]) == (0, 0)


def test_a_rod_of_single_voxels_has_its_edges() -> None:
    inside = np.zeros((5, 9, 5), dtype=bool)
    inside[2, 1:8, 2] = True
    long, short = widths(inside, 0.5, [1, 2, 1])
    assert long == pytest.approx(14, abs=0.05) and 0.5 < short <= 1


@pytest.mark.parametrize("edge", [7.3, 11.8, 16.4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_blurred_turned_box_has_the_widths_of_the_sharp_one(edge: float, seed: int) -> None:
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    fine = (np.indices((96,) * 3).reshape(3, -1) - 47.5) / 3  # three samples a voxel, averaged below
    inside = (np.abs(axes @ fine) < np.array([[0.5], [0.6], [0.7]]) * edge).all(0).reshape((96,) * 3)
    density = gaussian_filter(inside.astype(float), 1.5).reshape(32, 3, 32, 3, 32, 3).mean((1, 3, 5))
    level = surface_level(torch.from_numpy(density), torch.from_numpy(density > 0.2))
    long, short = widths(density, level, [1, 1, 1])
    assert short == pytest.approx(edge, abs=0.35)
    assert float((density > level).sum()) == pytest.approx(edge**3 * 1.2 * 1.4, rel=0.07)
    assert long == pytest.approx(np.linalg.norm([1, 1.2, 1.4]) * edge, abs=2)  # the corners of a blurred box are round
