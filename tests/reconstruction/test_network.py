"""Doubts about the density of a network."""

import pytest
import torch

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction import ReconstructionSettings
from spi_lightning.reconstruction.network import doubts, starting_density, unexplained
from tests.phasing.lopsided import lopsided


@pytest.mark.parametrize("counted", [False, True])
def test_a_start_whose_amplitudes_are_not_those_of_the_pattern_is_doubted(counted: bool) -> None:
    density = lopsided()
    amplitude = fourier(density, 2).abs()
    if counted:
        rate = 1e5 * amplitude.square() / amplitude.square().sum()
        amplitude = torch.poisson(rate, generator=torch.Generator().manual_seed(0)).sqrt()
    measured = Measurement(amplitude, torch.ones_like(amplitude, dtype=torch.bool))
    assert doubts("RUN", 3 * density, measured) == []
    assert unexplained(density, measured, counted) < 0.1
    (line,) = map(str, doubts("RUN", torch.roll(density, 5, 0) + density, measured))
    assert line.startswith("start=RUN: this density leaves a relative Fourier error of 0.")


def test_a_network_is_not_doubted_for_what_lies_outside_the_middle_that_it_saw() -> None:
    density = lopsided()
    amplitude, edge = fourier(density, 2).abs(), density.shape[-1] // 2
    middle = torch.zeros_like(amplitude, dtype=torch.bool)
    middle[edge // 2 : edge // 2 + edge, edge // 2 : edge // 2 + edge] = True
    wild = torch.where(middle, amplitude, amplitude.max() / 4)
    measured = Measurement(wild, torch.ones_like(middle))
    assert doubts("RUN", density, measured) and doubts("RUN", density, measured, edge) == []


def test_densities_of_the_caller_are_of_the_pattern_s_shape() -> None:
    amplitude = fourier(lopsided(), 2).abs()
    measured = Measurement(amplitude, torch.ones_like(amplitude, dtype=torch.bool))
    start, notes = starting_density(measured, ReconstructionSettings(starts=3, start=lopsided()), lopsided() > 0)
    assert start is not None and start.shape == (3, 48, 48) and not notes
    with pytest.raises(UserError, match=r"start: shape \(2, 48, 48\) is neither .* for each of 3 starts"):
        starting_density(measured, ReconstructionSettings(starts=3, start=start[:2]), lopsided() > 0)


def test_a_network_needs_something_that_builds_its_task(tmp_path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"PK")
    measured = Measurement(torch.ones(8, 8), torch.ones(8, 8, dtype=torch.bool))
    with pytest.raises(UserError, match=r"needs make_task=hydra\.utils\.instantiate"):
        starting_density(measured, ReconstructionSettings(start=str(tmp_path / "a.ckpt")), measured.mask)
