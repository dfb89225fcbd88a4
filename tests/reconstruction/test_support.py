"""First supports: what the autocorrelation tells, what is refused, and what the user brings."""

from dataclasses import replace

import pytest
import torch

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction import Phasing, ReconstructionSettings
from spi_lightning.reconstruction.support import autocorrelation_region, starting_support
from tests.phasing.lopsided import lopsided
from tests.physics.bragg.test_hot_voxels import SHAPE, crystal


@pytest.mark.parametrize("where", [(13,), (slice(None), slice(18, 22)), (..., slice(15, 17))])
def test_holes_of_a_scan_do_not_widen_the_support_of_its_autocorrelation(
    where: tuple[int | slice, ...],
) -> None:
    amplitude, mask = crystal().sqrt(), torch.ones(SHAPE, dtype=torch.bool)
    whole, _ = autocorrelation_region(Measurement(amplitude, mask, counted=True), 0.004)
    mask[where] = False
    measured = Measurement(torch.where(mask, amplitude, 0.0), mask, counted=True)
    found, _ = autocorrelation_region(measured, 0.004)
    starting_support(measured, ReconstructionSettings())  # which is sampled finely enough
    assert int((found ^ whole).sum()) < 0.1 * int(whole.sum())


def test_side_lobes_of_a_particle_in_two_parts_are_no_noise() -> None:
    y, x = torch.meshgrid(*(torch.arange(128) - 64,) * 2, indexing="ij")
    parts = sum(((y.square() + (x - position).square()) < 36).float() for position in (-18, 18))
    expected = fourier(torch.as_tensor(parts), 2).abs().square()
    counts = torch.poisson(1e6 * expected / expected.sum(), generator=torch.Generator().manual_seed(0))
    measured = Measurement(counts.sqrt(), torch.ones_like(counts, dtype=torch.bool), counted=True)
    region, _ = autocorrelation_region(measured, 0.004)
    assert region[0, 64, 64 + 36] and region[0, 64, 64 - 36] and not region[0, 64, 64 + 18]


@pytest.mark.parametrize(("photons", "background"), [(1.5e3, 0.0), (2e4, 0.05), (1e6, 0.0)])
@pytest.mark.parametrize("hidden", [0.0, 1.5])
def test_noise_background_and_a_small_hole_are_not_taken_for_a_wide_particle(
    photons: float, background: float, hidden: float
) -> None:
    expected = fourier(lopsided(64), 2).abs().square()
    expected = expected * (photons / expected.sum()) + background
    counts = torch.poisson(expected, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(*(torch.arange(64) - 32,) * 2, indexing="ij")
    mask = (y.square() + x.square()).sqrt() >= hidden
    measured = Measurement((counts * mask).sqrt(), mask, counted=True)
    found, notes = starting_support(measured, ReconstructionSettings())
    rows, columns = found.nonzero().amax(0) - found.nonzero().amin(0) + 1
    assert max(int(rows), int(columns)) <= 37  # of a particle that spans 19
    assert any("only 1" in str(note) for note in notes) == (photons < 3e3)


def test_a_coarse_pattern_is_refused_with_the_number_and_a_concrete_remedy() -> None:
    y, x = torch.meshgrid(*(torch.arange(32) - 16,) * 2, indexing="ij")
    wide = ((y.abs() < 9) & (x.abs() < 7)).float()
    amplitude = 30 * fourier(wide, 2).abs()
    everything = torch.ones_like(amplitude, dtype=torch.bool)
    with pytest.raises(UserError, match=r"spans 32 of 32 pixels along axis 0: the oversampling ratio is 1\.94"):
        starting_support(Measurement(amplitude, everything), ReconstructionSettings())
    everything[15:18, 15:18] = False
    hidden = Measurement(amplitude * everything, everything)
    with pytest.raises(UserError, match=r"9 pixels that are not measured had to be guessed.* give support=box or a"):
        starting_support(hidden, ReconstructionSettings())
    doubted = replace(hidden, notes=[Note.of("fine"), Note.warning("set data.beam_centre=[3,4]")])
    with pytest.raises(UserError, match=r"lower least_oversampling; but first: set data\.beam_centre=\[3,4\]$"):
        starting_support(doubted, ReconstructionSettings())
    box, _ = starting_support(hidden, ReconstructionSettings(support="box", phasing=Phasing("60*HIO(0.9)")))
    assert int(box.sum()) == 16 * 16


def test_a_file_that_is_no_network_is_named_as_such_for_a_scan_too() -> None:
    scan = Measurement(torch.ones(6, 8, 8), torch.ones(6, 8, 8, dtype=torch.bool))
    with pytest.raises(UserError, match=r"support=.*test_support\.py, a file of another kind, .* nor a \.npy"):
        starting_support(scan, ReconstructionSettings(support=__file__))
