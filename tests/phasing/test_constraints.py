import pytest
import torch
from torch import Tensor

from spi_lightning.phasing.constraints import DensityConstraint, FourierConstraint, friedel_mean

SHAPES = [(12,), (11, 14), (8, 9, 10)]


def data_constraint(shape: tuple[int, ...], real: bool, starts: int = 2) -> tuple[FourierConstraint, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    density = torch.randn((1, 1, *shape), generator=generator, dtype=torch.float64)
    imaginary = 0 if real else 1j * torch.randn((1, 1, *shape), generator=generator, dtype=torch.float64)
    axes = tuple(range(2, 2 + len(shape)))
    amplitude = torch.fft.fftn(density + imaginary, dim=axes, norm="ortho").abs()
    mask = torch.rand(amplitude.shape, generator=generator) > 0.2
    if real:
        mask = friedel_mean(amplitude, mask, len(shape))[1]
    return FourierConstraint(amplitude, mask, starts, real), amplitude, mask


def some(shape: tuple[int, ...], real: bool) -> Tensor:
    last = () if real else (2,)
    return torch.randn((1, 2, *shape, *last), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_measured_amplitudes_are_set_and_the_rest_floats(shape: tuple[int, ...], real: bool) -> None:
    constraint, amplitude, mask = data_constraint(shape, real)
    x = some(shape, real)
    y = constraint.project(x, torch.empty_like(x))
    axes = tuple(range(2, 2 + len(shape)))
    before, after = (torch.fft.fftn(d if real else torch.view_as_complex(d), dim=axes, norm="ortho") for d in (x, y))
    mask = mask.expand(after.shape)
    torch.testing.assert_close(after.abs()[mask], amplitude.expand(after.shape)[mask])
    torch.testing.assert_close(after[~mask], before[~mask])
    torch.testing.assert_close(after.sgn()[mask], before.sgn()[mask])


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_projection_twice_is_a_projection_once(shape: tuple[int, ...], real: bool) -> None:
    constraint, _, _ = data_constraint(shape, real)
    once = constraint.project(some(shape, real), torch.empty_like(some(shape, real)))
    torch.testing.assert_close(constraint.project(once, torch.empty_like(once)), once)
    for kind in ("positive", "real") if real else ("complex",):
        support = torch.rand((1, 2, *shape)) > 0.5
        density = DensityConstraint(support, tuple(once.shape), kind, once.dtype)
        first = density.project(once, torch.empty_like(once))
        assert torch.equal(density.project(first, torch.empty_like(first)), first)
        assert not torch.equal(first, once)
        assert torch.equal(first, once * (1 - density.violated(once)))


def test_a_vanishing_transform_stays_finite() -> None:
    constraint, _, _ = data_constraint((8, 8), real=True)
    zero = torch.zeros(1, 2, 8, 8, dtype=torch.float64)
    assert bool(constraint.project(zero, torch.empty_like(zero)).isfinite().all())


def test_friedel_mates_are_averaged_in_intensity_or_stand_in_for_each_other() -> None:
    amplitude, mask = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    amplitude[1, 1], amplitude[3, 3], amplitude[1, 2] = 3.0, 4.0, 5.0
    mask[1, 1] = mask[3, 3] = mask[1, 2] = True
    found, known = friedel_mean(amplitude, mask, 2)
    assert found[1, 1] == found[3, 3] == pytest.approx(12.5**0.5)
    assert found[1, 2] == found[3, 2] == 5
    assert known.nonzero().tolist() == [[1, 1], [1, 2], [3, 2], [3, 3]]
