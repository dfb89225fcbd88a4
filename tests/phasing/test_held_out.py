import pytest
import torch

from spi_lightning.phasing import hold_out
from spi_lightning.physics.twin import invert


@pytest.mark.parametrize("shape", [(64, 64), (33, 40), (16, 16, 16)])
def test_pairs_are_held_out_together_and_the_centre_never(shape: tuple[int, ...]) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) > 0.1
    fitted, held = hold_out(mask, 0.05, seed=0, ndim=len(shape))
    assert bool((fitted ^ held).eq(mask).all())
    assert not bool((held & invert(fitted, len(shape))).any())
    middle = tuple(slice(n // 2 - 2, n // 2 + 3) for n in shape)
    assert not bool(held[middle].any())
    assert float(held.sum() / mask.sum()) == pytest.approx(0.05, abs=0.012)


def test_draws_differ_by_seed_and_repeat() -> None:
    mask = torch.ones(32, 32, dtype=torch.bool)
    first, again, other = (hold_out(mask, 0.05, seed, 2, pairs=False)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
