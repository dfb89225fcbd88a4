import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.laboratory.phase_unwrap import remove_offset, remove_ramp, unwrap


def ball(size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.stack(torch.meshgrid(*[torch.arange(size) - size // 2] * 3, indexing="ij"), dim=-1).float()
    return index, index.norm(dim=-1) < 6


def test_unwrapping_brings_back_a_phase_of_several_turns() -> None:
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
