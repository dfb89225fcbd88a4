"""Shrink-wrap within the polish: supports of a given volume, places in the array, and the volume that is chosen."""

from dataclasses import replace

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing.wrapped import Wrapping, polish_wrapped
from spi_lightning.phasing.shrinkwrap import largest_voxels
from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier

SHAPE = (16, 16, 15)


def particles(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    box = torch.randn(count, 4, 5, 4, generator=generator, dtype=torch.complex128)
    return pad(box * 0.3 + 2, SHAPE)


def test_a_box_lies_in_the_middle() -> None:
    box = torch.zeros(1, 4, 5, 3)
    box[0, 2, 2, 1] = 1
    assert pad(box, SHAPE)[0, 8, 8, 7] == 1


def test_supports_have_the_requested_volume() -> None:
    density = particles()
    found = largest_voxels(density, torch.tensor([80.0, 33.4]))
    assert found.flatten(1).sum(1).tolist() == [80, 33]
    assert torch.equal(found[0], density[0] != 0)


def test_a_density_cut_by_its_box_grows_back() -> None:
    truth = particles()
    amplitude, mask = fourier(truth, ndim=3).abs(), torch.ones(2, *SHAPE, dtype=torch.bool)
    cut = truth[:, 6:10, 6:10, 5:9]  # one slice of five is missing along y
    wrapping = Wrapping(growth=(0.2, 1.0), rounds=6, steps=60, exact=None)
    found = polish_wrapped(cut, amplitude, mask, wrapping)
    assert found.growth == 1.0 and len(found.validation_chi_square) == 2
    assert (found.chi_square < 0.02).all()
    assert torch.equal(found.density != 0, found.support)
    alone = polish_wrapped(cut, amplitude, mask, Wrapping(growth=(0.2,), rounds=2, steps=5, exact=None))
    assert (alone.chi_square > found.chi_square).all() and alone.validation_chi_square == ()


def test_a_recipe_goes_first() -> None:
    truth = particles(1)
    amplitude, mask = fourier(truth, ndim=3).abs(), torch.ones(1, *SHAPE, dtype=torch.bool)
    spoilt = truth * (1 + 0.5 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1)))
    wrapping = Wrapping(growth=(1.0,), rounds=1, steps=1, last_steps=1, recipe="40*ER", exact=None, point_spread=None)
    found = polish_wrapped(spoilt, amplitude, mask, wrapping)
    without = polish_wrapped(spoilt, amplitude, mask, replace(wrapping, recipe=None))
    assert found.density.dtype == torch.complex128 and (found.chi_square < 0.3 * without.chi_square).all()


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="growth"):
        Wrapping(growth=())
    with pytest.raises(UserError, match="do not fit"):
        polish_wrapped(particles(), torch.ones(2, 8, 8, 8), torch.ones(2, 8, 8, 8, dtype=torch.bool))
