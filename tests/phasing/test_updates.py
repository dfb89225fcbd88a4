import pytest
import torch
from torch import Tensor

from spi_lightning.phasing.constraints import DensityConstraint, FourierConstraint
from spi_lightning.phasing.updates import (
    UPDATES,
    Constraints,
    difference_map,
    error_reduction,
    hybrid_input_output,
    raar,
)


def problem(kind: str = "positive", seed: int = 0) -> tuple[Constraints, Tensor]:
    """Constraints of a 12 x 12 particle in 24 x 24 pixels and three random iterates, float64."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    truth[..., :12, :12] = torch.rand(12, 12, generator=generator, dtype=torch.float64)
    truth[..., 7:12, 6:12] = 0
    real = kind != "complex"
    amplitude = torch.fft.fft2(truth, norm="ortho").abs()
    data = FourierConstraint(amplitude, torch.ones_like(amplitude, dtype=torch.bool), 3, real)
    x = torch.randn((1, 3, 24, 24) + (() if real else (2,)), generator=generator, dtype=torch.float64)
    return Constraints(data, DensityConstraint(truth > 0, tuple(x.shape), kind, x.dtype), x), x


def on_data(on: Constraints, x: Tensor) -> Tensor:
    return on.data.project(x, torch.empty_like(x)).clone()


def on_density(on: Constraints, x: Tensor) -> Tensor:
    return on.density.project(x, torch.empty_like(x)).clone()


KINDS = pytest.mark.parametrize("kind", ["positive", "real", "complex"])


@KINDS
def test_hio_feeds_back_with_a_minus_sign(kind: str) -> None:
    on, x = problem(kind)
    rho = on_data(on, x)
    obeys = on_density(on, rho) == rho
    assert 0.05 < float(obeys.double().mean()) < 0.5
    expected = torch.where(obeys, rho, x - 0.7 * rho)
    hybrid_input_output(x, on, 0.7)
    torch.testing.assert_close(x, expected)


@KINDS
def test_raar_is_lukes_average_of_reflections(kind: str) -> None:
    on, x = problem(kind)
    rho, beta = on_data(on, x), 0.8
    reflected = 2 * rho - x
    both = 2 * on_density(on, reflected) - reflected
    expected = beta / 2 * (both + x) + (1 - beta) * rho
    raar(x, on, beta)
    torch.testing.assert_close(x, expected)


@KINDS
@pytest.mark.parametrize("beta", [1.0, 0.7, 1.2])
def test_difference_map_is_elsers(kind: str, beta: float) -> None:
    on, x = problem(kind)
    rho, inside = on_data(on, x), on_density(on, x)
    toward_density = rho + (rho - x) / beta
    toward_data = inside - (inside - x) / beta
    expected = x + beta * (on_density(on, toward_density) - on_data(on, toward_data))
    difference_map(x, on, beta)
    torch.testing.assert_close(x, expected)


def test_raar_is_not_error_reduction() -> None:
    on, x = problem()
    other = x.clone()
    for _ in range(50):
        raar(x, on, 0.9)
        error_reduction(other, on)
    away = on_density(on, on_data(on, x)) - other
    assert float(away.norm() / other.norm()) > 0.05


@KINDS
def test_error_reduction_never_increases_its_error(kind: str) -> None:
    on, x = problem(kind)
    gaps, errors = [], []
    for _ in range(200):
        gaps.append(error_reduction(x, on).clone())
        errors.append((x - on_data(on, x)).flatten(2).norm(dim=2) / on.data.norm)
    for course in (torch.stack(gaps), torch.stack(errors)):
        assert float((course[1:] - course[:-1]).max()) < 1e-12
    assert bool((torch.stack(errors) <= torch.stack(gaps) + 1e-12).all()), "the gap bounds the Fourier error"


@KINDS
@pytest.mark.parametrize("name", UPDATES)
def test_a_solution_stays_where_it_is(name: str, kind: str) -> None:
    on, x = problem(kind)
    truth = torch.zeros_like(x)
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(12, 12, generator=generator, dtype=torch.float64)
    density[7:12, 6:12] = 0
    (truth[..., 0] if kind == "complex" else truth)[..., :12, :12] = density
    moved = truth.clone()
    gap = UPDATES[name].run(moved, on, **UPDATES[name].defaults)
    torch.testing.assert_close(moved, truth, atol=1e-9, rtol=0)
    assert float(gap.max()) < 1e-9


def test_charge_flipping_changes_signs_and_nothing_else() -> None:
    on, x = problem()
    rho = on_data(on, x)
    UPDATES["charge_flipping"].run(x, on, threshold=0.2)
    torch.testing.assert_close(x.abs(), rho.abs())
    kept = (rho > 0.2) & on.density.support
    assert torch.equal(x > 0, torch.where(kept, rho > 0, rho < 0))
