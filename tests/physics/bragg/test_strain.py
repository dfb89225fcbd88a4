"""Phases are unwrapped without ramp and offset; displacement and strain have the right size and sign."""

import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.strain import displacement, remove_offset, remove_ramp, strain, unwrap


def ball(size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.stack(torch.meshgrid(*[torch.arange(size) - size // 2] * 3, indexing="ij"), dim=-1).float()
    return index, index.norm(dim=-1) < 6


def test_unwrapping_brings_back_a_phase_of_many_turns() -> None:
    index, support = ball()
    phase = 0.3 * index[..., 0] + 0.12 * (index**2).sum(-1)
    phase = phase - phase[support].median()
    found = unwrap(torch.polar(torch.ones_like(phase), phase), support)
    torch.testing.assert_close(found[support], phase[support], atol=1e-4, rtol=0)
    assert (found[~support] == 0).all()
    assert phase[support].max() - phase[support].min() > 4


def test_the_ramp_is_found_through_wraps_and_what_is_left_is_the_same() -> None:
    index, support = ball()
    bump = torch.exp(-(index**2).sum(-1) / 20)
    plain = torch.polar(support.float(), bump)
    ramp = torch.tensor([1.9, -0.7, 0.2])
    tilted = plain * torch.polar(torch.ones(16, 16, 16), index @ ramp)
    both = torch.stack([tilted, plain])
    without, gradient = remove_ramp(both, support.expand(2, -1, -1, -1))
    torch.testing.assert_close(gradient[0] - gradient[1], ramp, atol=1e-4, rtol=0)
    torch.testing.assert_close(without[0], without[1], atol=1e-4, rtol=0)


def test_the_offset_goes() -> None:
    _, support = ball()
    density = torch.polar(support.float(), torch.full((16, 16, 16), 2.0))
    assert remove_offset(density, support)[8, 8, 8].angle().abs() < 1e-5


def test_an_empty_support_is_named() -> None:
    with pytest.raises(UserError, match="support"):
        unwrap(torch.ones(4, 4, 4) + 0j, torch.zeros(4, 4, 4, dtype=torch.bool))


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
