"""Priors of a density: known values, and what they do not depend on."""

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.losses import DensityPrior
from spi_lightning.losses.density_prior import filled_share, negative_share


def drawn() -> torch.Tensor:
    return torch.randn(3, 4, 5, 6, dtype=torch.complex128) + 1


def test_share_of_the_box() -> None:
    one = torch.zeros(2, 4, 5, 6, dtype=torch.complex64)
    one[0, 2, 2, 2] = torch.tensor(7j)
    one[1] = torch.polar(torch.full((4, 5, 6), 0.3), torch.rand(4, 5, 6))
    torch.testing.assert_close(filled_share(one), torch.tensor([1 / 120, 1.0]))
    one[1, :2] = 0
    assert filled_share(one)[1] == pytest.approx(0.5)


def test_share_of_negative_parts() -> None:
    half = torch.ones(1, 4, 5, 6, dtype=torch.complex64)
    half[0, :1] = -1
    assert negative_share(half).item() == pytest.approx(0.25)
    assert negative_share(half.abs() + 0j).item() == 0


@pytest.mark.parametrize("share", [filled_share, negative_share])
def test_scale_and_constant_phase_do_not_matter(share: object) -> None:
    density = drawn()
    assert callable(share)
    torch.testing.assert_close(share(density), share(3 * density * torch.exp(torch.tensor(1.3j))))


def test_gradients() -> None:
    parts = torch.view_as_real(drawn()).clone().requires_grad_()
    prior = DensityPrior(support=0.3, positivity=0.7)
    assert torch.autograd.gradcheck(lambda each: prior(torch.view_as_complex(each)), parts)
    zero = torch.zeros(1, 2, 2, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(prior(torch.view_as_complex(zero)).sum(), zero)
    assert gradient.isfinite().all()


def test_weights_are_checked() -> None:
    with pytest.raises(UserError, match=r"task.prior"):
        DensityPrior(support=-1.0)
    assert not DensityPrior() and DensityPrior(positivity=0.1)
