import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.laboratory.strain import displacement, strain

Q = torch.tensor([0.3e10, 0.2e10, 0.1e10], dtype=torch.float64)
VOXEL = 5e-9 * torch.eye(3, dtype=torch.float64)


def places(vectors: torch.Tensor, size: int = 10) -> torch.Tensor:
    index = torch.stack(torch.meshgrid(*[torch.arange(size) - size // 2] * 3, indexing="ij"), dim=-1).double()
    return index @ vectors.T


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
def test_strain_of_a_linear_displacement(skewed: bool, sign: int) -> None:
    geometry = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, 0.005)
    vectors = geometry.voxel_vectors((64, 64, 64), (2, 2, 2)) if skewed else VOXEL
    q = geometry.scattering_vector() if skewed else Q
    along = places(vectors) @ (q / q.norm())  # position along Q, m
    moved = 4e-4 * along  # planes 0.04 % further apart
    phase = sign * 2 * math.pi * q.norm() * moved
    density = torch.polar(torch.ones_like(phase), phase)
    found = strain(density, torch.ones_like(phase, dtype=torch.bool), vectors, q, transform_sign=sign)
    torch.testing.assert_close(found, torch.full_like(found, 4e-4), rtol=1e-6, atol=0)
    torch.testing.assert_close(displacement(phase, q, sign), moved)


def test_the_sign_is_that_of_scattering_by_displaced_atoms() -> None:
    """A chain stretched by 1 part in 1000 gives its density near h, through this project's transform, that strain."""
    atoms = torch.arange(-60, 61).double()
    stretched = atoms * 1.001
    q = torch.arange(-60, 61).double() / 121 / 4  # around h = 1 / spacing = 1
    envelope = torch.exp(-((atoms / 25) ** 2))
    amplitude = (envelope * torch.exp(-2j * math.pi * (1 + q)[:, None] * stretched)).sum(1)
    places_m = torch.arange(-20, 21).double()
    density = (torch.exp(2j * math.pi * places_m[:, None] * q) @ amplitude)[:, None, None]
    h = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    support = torch.ones(density.shape, dtype=torch.bool)
    found = strain(density, support, torch.eye(3, dtype=torch.float64), h)
    assert found[10:30].mean().item() == pytest.approx(1e-3, rel=0.02)


def test_wraps_and_outside() -> None:
    phase = 2.5 * torch.arange(10.0).double()[:, None, None].expand(10, 4, 4)
    support = torch.ones(10, 4, 4, dtype=torch.bool)
    support[7:] = False
    density = torch.polar(torch.ones_like(phase), phase)
    along_z = torch.tensor([1e10, 0, 0], dtype=torch.float64)
    found = strain(density, support, VOXEL, along_z)
    assert found[7:].isnan().all()
    assert found[:7].std() < 1e-9
    assert found[0, 0, 0] < 0
    with pytest.raises(UserError, match="transform_sign"):
        strain(density, support, VOXEL, Q, transform_sign=0)
