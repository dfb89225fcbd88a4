import numpy as np
import pytest

from spi_lightning.metrics.extent import widths


def test_a_rod_has_its_length_and_width_in_any_orientation() -> None:
    y, x = np.mgrid[-100:100, -100:100] + 0.5
    for angle in np.radians([0, 30, 77]):
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        rod = (np.abs(along) < 60) & (np.abs(across) < 15)
        long, short = widths(rod, [0.5, 0.5])
        assert long == pytest.approx(np.hypot(60, 15), abs=1) and short == pytest.approx(15, abs=1)


def test_an_ellipsoid_is_as_wide_as_its_axes_whatever_the_edges_of_the_voxels() -> None:
    z, y, x = np.mgrid[-20:20, -20:20, -20:20] + 0.5
    inside = (2 * z / 60) ** 2 + (4 * y / 80) ** 2 + (1 * x / 15) ** 2 < 1  # half axes of 60, 80 and 15
    assert widths(inside, [2, 4, 1]) == pytest.approx((160, 30), abs=5)
    assert widths(inside[10:10], [1, 1, 1]) == (0, 0)


def test_a_rod_of_single_voxels_and_a_voxel_alone_have_their_edges_and_diagonals() -> None:
    inside = np.zeros((5, 9, 5), dtype=bool)
    inside[2, 1:8, 2] = True
    assert widths(inside, [1, 2, 1]) == pytest.approx((np.hypot(14, np.sqrt(2)), 1), abs=0.1)
    inside[:, :4], inside[:, 5:] = False, False
    assert widths(inside, [1, 1, 1]) == pytest.approx((np.sqrt(3), 1), abs=0.05)
