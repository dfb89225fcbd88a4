import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.phasing.gradient import descend, random_start
from spi_lightning.physics.agreement import chi_square


def test_the_error_falls_and_the_start_depends_on_the_seed_alone() -> None:
    truth = torch.polar(torch.rand(5, 4, 6) + 0.3, torch.rand(5, 4, 6))
    pattern = torch.fft.fftshift(torch.fft.fftn(truth, s=(12, 12, 12), norm="ortho").abs())
    mask = torch.ones_like(pattern, dtype=torch.bool)
    mask[3, 3, 3] = False
    start = random_start(pattern, mask, (5, 4, 6), 2, seed=3)
    assert start.shape == (2, 5, 4, 6) and torch.equal(start, random_start(pattern, mask, (5, 4, 6), 2, seed=3))
    patterns, masks = pattern.expand(2, -1, -1, -1), mask.expand(2, -1, -1, -1)
    notes: list[int] = []
    found = descend(start, patterns, masks, 120, 0.1, lambda step, total, values: notes.append(step))
    errors = [
        chi_square(
            torch.fft.fftshift(torch.fft.fftn(one, s=(12, 12, 12), dim=(1, 2, 3)).abs(), dim=(1, 2, 3)), patterns, masks
        )
        for one in (start, found)
    ]
    assert (errors[1] < 0.3 * errors[0]).all() and notes == [20, 40, 60, 80, 100, 120]
    with pytest.raises(UserError, match="steps=0"):
        descend(start, patterns, masks, 0)
