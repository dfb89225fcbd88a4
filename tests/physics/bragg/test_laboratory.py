""""""

import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.laboratory import ScanAxes, axes_of, crystal_in_laboratory

GEOMETRY = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, 0.005)
CUBIC = ScanAxes(GEOMETRY, 10e-9 * torch.eye(3, dtype=torch.float64))


def box() -> torch.Tensor:
    density = torch.zeros(16, 16, 16, dtype=torch.complex64)
    density[4:13, 5:12, 3:14] = 1
    return density


def test_ramp_and_offset_are_no_strain() -> None:
    z, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    density = box() * torch.polar(torch.ones(16, 16, 16), 0.7 * z - 1.1 * y + 0.4 * x + 2.0)
    found = crystal_in_laboratory(density, box().abs() > 0, CUBIC)
    assert float(found.phase.abs().max()) < 1e-4 and float(found.strain.abs().max()) < 1e-8
    assert found.voxel_size == pytest.approx(10e-9) and int(found.support.sum()) == 9 * 7 * 11
    assert float(found.Q.norm()) == pytest.approx(2 * math.pi * float(GEOMETRY.scattering_vector().norm()))


def test_displacement_is_minus_the_phase_over_q_and_unwrapped() -> None:
    z = torch.arange(16.0)[:, None, None] - 8
    density = box() * torch.polar(torch.ones(16, 16, 16), (0.25 * z.square()).expand(16, 16, 16))
    found = crystal_in_laboratory(density, box().abs() > 0, CUBIC)
    assert float(found.phase.max() - found.phase.min()) == pytest.approx(0.25 * 16, rel=0.05)
    torch.testing.assert_close(found.displacement, -found.phase / float(found.Q.norm()), rtol=1e-5, atol=1e-20)


def test_only_the_largest_part_counts_and_an_empty_density_is_named() -> None:
    density = box()
    density[0:2, 0:2, 0:2] = 1
    found = crystal_in_laboratory(density, density.abs() > 0, CUBIC)
    assert int(found.support.sum()) == 9 * 7 * 11
    with pytest.raises(UserError, match="no crystal to transform"):
        crystal_in_laboratory(0 * density, density.abs() > 0, CUBIC)


def test_axes_need_the_whole_geometry() -> None:
    assert axes_of(BraggGeometry(9000.0), (8, 8, 8), (1, 1, 1)) is None
    axes = axes_of(GEOMETRY, (64, 64, 64), (2, 2, 2))
    assert (
        axes is not None
        and "9000 eV" in axes.description()["photon energy"]
        and "2.6911 1/Å" in axes.description()["|Q|"]
    )
