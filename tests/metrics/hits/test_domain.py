import pytest
import torch

from spi_lightning.metrics import Descriptions, Domain, describe_patterns


def rows(count: int, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(9))
    return torch.randn(count, 6, generator=generator) @ mixing + shift


def fitted() -> Domain:
    domain = Domain()
    domain.fit(rows(2000))
    return domain


def test_new_rows_of_the_same_kind_lie_below_their_levels() -> None:
    domain = fitted()
    distance = domain(rows(2000, seed=1))
    assert (distance < 1).float().mean().item() == pytest.approx(0.99, abs=0.01)
    assert (distance < domain.beyond_most()).float().mean().item() == pytest.approx(0.9, abs=0.03)
    assert (domain(rows(200, seed=2, shift=30.0)) > 1).all()


def test_distance_does_not_depend_on_units() -> None:
    factors = torch.tensor([1e-3, 1.0, 1e3, 5.0, 0.1, 20.0])
    domain, scaled = fitted(), Domain()
    scaled.fit(rows(2000) * factors)
    torch.testing.assert_close(scaled(rows(50, seed=3) * factors), domain(rows(50, seed=3)), rtol=1e-3, atol=1e-3)


def test_constant_columns_and_few_rows_do_no_harm() -> None:
    domain = Domain()
    domain.fit(rows(49))
    assert not domain.known
    domain.fit(torch.cat([rows(200), torch.zeros(200, 1)], dim=1))
    assert torch.isfinite(domain(torch.cat([rows(20), torch.zeros(20, 1)], dim=1))).all()


def test_a_checkpoint_brings_it_along_and_older_ones_lack_it() -> None:
    domain, fresh = fitted(), Domain()
    fresh.load_state_dict(domain.state_dict())
    torch.testing.assert_close(fresh(rows(9)), domain(rows(9)))
    holder = torch.nn.ModuleDict({"domain": Domain(), "linear": torch.nn.Linear(1, 1)})
    holder.load_state_dict({f"linear.{key}": value for key, value in holder["linear"].state_dict().items()})
    assert not holder["domain"].known


def test_descriptions_do_not_depend_on_batches_or_their_order() -> None:
    whole, parts = Descriptions(), Descriptions()
    whole.update(rows(30))
    for part in rows(30).split(7)[::-1]:
        parts.update(part)
    torch.testing.assert_close(whole.compute(), parts.compute(), rtol=0, atol=0)


def test_descriptions_see_where_the_light_is() -> None:
    pattern = torch.zeros(2, 1, 16, 16)
    pattern[0, 0, 7:9, 7:9] = 1
    pattern[1, 0, :2, :2] = 1
    summary = describe_patterns(torch.ones(2, 300), pattern)
    assert summary.shape == (2, 64 + 5)
    assert summary[0, -2] < summary[1, -2]
