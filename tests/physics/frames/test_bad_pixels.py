import torch

from spi_lightning.physics.frames.bad_pixels import suspect_pixels
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude

OFFSET = torch.arange(48) - 23.5
FRAMES = torch.poisson(
    2e4 * (sphere_amplitude(torch.hypot(OFFSET[:, None], OFFSET), torch.tensor(0.1)) ** 2).expand(40, -1, -1) / 100
    + 0.02,
    generator=torch.Generator().manual_seed(0),
)
MASK = torch.ones(48, 48, dtype=torch.bool)
MASK[3:5] = False


def suspects(frames: torch.Tensor, mask: torch.Tensor = MASK) -> tuple[list[list[int]], list[list[int]]]:
    hot, dead = suspect_pixels(frames.sum(0), (frames > 0).sum(0), mask, len(frames))
    return hot.nonzero().tolist(), dead.nonzero().tolist()


def test_good_pixels_of_rings_and_of_a_narrow_peak_are_not_suspect() -> None:
    assert suspects(FRAMES) == ([], [])
    narrow = 3e3 * sphere_amplitude(torch.hypot(OFFSET[:, None], OFFSET), torch.tensor(0.6)) ** 2
    assert suspects(torch.poisson(narrow.expand(40, -1, -1)))[0] == []


def test_hot_and_dead_pixels_and_dead_lines_are_found_where_they_count_as_measured() -> None:
    frames = FRAMES.clone()
    frames[:, 40, 7], frames[:, 24, 30], frames[:, 3, 3] = 300, 0, 300
    frames[:, 20:22] = 0
    hot, dead = suspects(frames)
    assert hot == [[40, 7]]  # the one at 3, 3 is masked
    assert [24, 30] in dead and [20, 5] in dead and len(dead) == 1 + 2 * 48


def test_a_pixel_that_is_bright_once_is_not_hot_and_empty_frames_have_no_dead_pixels() -> None:
    frames = FRAMES.clone()
    frames[0, 40, 7] = 5000
    assert suspects(frames)[0] == []
    assert suspects(torch.zeros(5, 48, 48)) == ([], [])
