import pytest
import torch

from spi_lightning.io import open_patterns
from spi_lightning.physics.frames.hit_finding import find_hits
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude

MASK = torch.ones(64, 64, dtype=torch.bool)
MASK[30:34] = False


def background(level=0.02) -> torch.Tensor:
    y = torch.arange(64.0)[:, None]
    return level * (1 + y / 64).expand(64, 64)


def particle(forward) -> torch.Tensor:
    offset = torch.arange(64.0) - 31.5
    return forward * sphere_amplitude(torch.hypot(offset[:, None], offset), torch.tensor(0.12)) ** 2


@pytest.mark.parametrize("known", [True, False])
def test_misses_stay_below_and_hits_above(known) -> None:
    misses = torch.poisson(background().expand(400, -1, -1))
    hits = torch.poisson((background() + particle(15.0)).expand(20, -1, -1))
    notes = background() if known else None
    found = find_hits(misses, MASK, notes)
    assert not found.is_hit.any()
    assert abs(found.photon_excess.mean()) < 0.3
    assert 0.8 < found.photon_excess.std() < 1.2
    assert 0.8 < found.lit_excess.std() < 1.2
    assert find_hits(hits, MASK, notes).is_hit.all()


def test_one_hot_pixel_is_no_hit_and_masked_pixels_do_not_count() -> None:
    frames = torch.poisson(background().expand(2, -1, -1))
    frames[0, 3, 3] = 5000
    frames[1, 31] = 5000
    found = find_hits(frames, MASK, background())
    assert found.photon_excess[0] > 100
    assert not found.is_hit.any()
    assert found.photon_count[1] < 500


def test_lit_from_counts_bright_pixels_only() -> None:
    frames = torch.zeros(1, 64, 64)
    frames[0, :10] = 2
    frames[0, 10:12] = 3
    assert find_hits(frames, MASK, background()).lit_pixels == 12 * 64
    assert find_hits(frames, MASK, background(), lit_from=3).lit_pixels == 2 * 64


def test_empty_frames_are_no_hits() -> None:
    found = find_hits(torch.zeros(2, 64, 64), MASK)
    assert not found.is_hit.any()
    assert found.photon_excess.isfinite().all()


def test_all_real_frames_are_hits(spi_data) -> None:
    file = open_patterns(spi_data / "spi" / "pr772_dev.h5")
    found = find_hits(torch.from_numpy(file.read(range(25))), torch.as_tensor(file.mask))
    assert found.is_hit.all()
    assert found.photon_count.min() == 7654
