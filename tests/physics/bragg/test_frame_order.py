import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.frame_order import order_frames


def frames(count: int) -> torch.Tensor:
    """Frame k holds k."""
    return torch.arange(float(count))[:, None, None].expand(count, 2, 3)


def test_an_even_scan_is_left_alone_also_one_that_falls() -> None:
    for angles in (torch.linspace(0, 1, 11), torch.linspace(1, 0, 11)):
        counts, even, monitor, notes = order_frames(frames(11), angles, torch.ones(11))
        assert torch.equal(counts, frames(11))
        torch.testing.assert_close(even, angles.double(), atol=1e-6, rtol=0)
        assert [("fall, from 1 to 0 degree" in str(note)) for note in notes] == [True] * bool(angles[0])
        assert monitor is not None


def test_frames_out_of_order_are_sorted() -> None:
    angles = torch.linspace(0, 1, 11)
    shuffled = torch.tensor([3, 0, 1, 2, 4, 5, 6, 8, 7, 9, 10])
    counts, _, monitor, notes = order_frames(frames(11)[shuffled], angles[shuffled], angles[shuffled])
    assert torch.equal(counts, frames(11))
    torch.testing.assert_close(monitor, angles.double())
    assert "sorted" in str(notes[0])


def test_doubled_angles_are_averaged_and_missing_ones_left_open() -> None:
    angles = torch.tensor([0, 0.1, 0.1, 0.2, 0.4, 0.5, 0.6])
    counts, even, _, notes = order_frames(frames(7), angles)
    assert counts[:, 0, 0].nan_to_num(-1).tolist() == [0, 1.5, 3, -1, 4, 5, 6]
    assert len(even) == 7
    assert "averaged" in str(notes[0])
    assert "(3)" in str(notes[1])


def test_jitter_of_the_encoder_is_no_matter() -> None:
    angles = torch.linspace(0, 1, 21).double() + 0.002 * torch.randn(21)
    assert torch.equal(order_frames(frames(21), angles)[0], frames(21))


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        (torch.linspace(0, 1, 5), "6 frames and 5 angles: frames or angles are missing"),
        (torch.tensor([0, 1, 2, float("nan"), float("nan"), 5]), "not all numbers"),
        (torch.tensor([0, 1, 2, float("nan"), 6, 7]), "not all numbers, and the others are in no even steps"),
        (torch.zeros(6), "all the same"),
        (torch.tensor([0, 1, 2.5, 3, 4, 5]), "uneven"),
        (torch.tensor([0, 1, 2, 3, 4, 20.0]), "are missing"),
    ],
)
def test_scans_that_cannot_be_corrected_are_named(angles: torch.Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        order_frames(frames(6), angles)


@pytest.mark.parametrize("count", [61, 201, 401])
@pytest.mark.parametrize("noise", [0.02, 0.04, 0.06])
@pytest.mark.parametrize("sign", [1, -1])
def test_noise_of_the_encoder_does_not_add_up(count: int, noise: float, sign: int) -> None:
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        angles = 0.2 + sign * 0.002 * (torch.arange(count) + noise * torch.randn(count, generator=generator).double())
        counts, even, _, _ = order_frames(frames(count), angles)
        assert torch.equal(counts, frames(count))
        torch.testing.assert_close(even.diff().mean(), torch.tensor(sign * 0.002).double(), rtol=2e-3, atol=0)


def test_noise_beside_missing_and_doubled_frames() -> None:
    number = torch.tensor([*range(40), *range(44, 150), 149, *range(150, 200)])
    noise = 0.02 * torch.randn(len(number), generator=torch.Generator().manual_seed(1)).double()
    counts, even, _, notes = order_frames(frames(len(number)), 1 + 0.01 * (number + noise))
    assert len(even) == 200
    assert counts[40:44].isnan().all() and not counts[44:].isnan().any()
    assert float(even.diff().mean()) == pytest.approx(0.01, rel=1e-3)
    assert "averaged" in str(notes[0]) and "4 of 200" in str(notes[1])


@pytest.mark.parametrize(
    "angles",
    [
        torch.linspace(0, 1, 60) ** 1.3,  # steps that grow
        torch.cat([torch.arange(30) * 0.01, 0.3 + torch.arange(30) * 0.013]),  # another step half-way
        torch.sort(torch.rand(60, generator=torch.Generator().manual_seed(3))).values,
        torch.arange(60) * 0.01 + 0.005 * torch.sin(torch.arange(60) * 0.2),  # a periodic error of half a step
        torch.arange(60) * 0.01 + 0.005 * (torch.arange(60) > 29),  # a slip of half a step
        torch.arange(32) * 0.01 + 0.004 * (torch.arange(32) > 15),
        torch.arange(32) * 0.01 + 0.004 * (torch.arange(32) > 4),
        torch.arange(60) * -0.01 + 0.004 * (torch.arange(60) > 40),
    ],
)
def test_truly_uneven_scans_are_refused(angles: torch.Tensor) -> None:
    with pytest.raises(UserError, match=r"uneven|missing"):
        order_frames(frames(60), angles.double())


def test_an_angle_that_is_not_a_number_is_taken_from_the_others() -> None:
    angles = torch.arange(20) * 0.01
    angles[7] = float("nan")
    counts, even, _, notes = order_frames(frames(20), angles)
    assert torch.equal(counts, frames(20))
    assert float(even[7]) == pytest.approx(0.07)
    assert "1 angles are not numbers (frames 7)" in str(notes[0])


def test_an_angle_that_no_motor_has_is_taken_from_the_others() -> None:
    angles = torch.linspace(0, 1, 11, dtype=torch.float64)
    angles[3] = 1.8e307
    _, even, _, notes = order_frames(frames(11), angles)
    torch.testing.assert_close(even, torch.linspace(0, 1, 11, dtype=torch.float64))
    assert "1 angles are not numbers (frames 3)" in str(notes[0])


@pytest.mark.parametrize("first", [1, -1])
def test_passes_to_and_fro_are_averaged_towards_larger_angles(first: int) -> None:
    angles = torch.arange(16).double() * 0.01
    numbers = torch.cat([torch.arange(16), torch.arange(16).flip(0)][::first])
    noise = 1e-5 * torch.randn(32, generator=torch.Generator().manual_seed(0)).double()
    counts, even, _, notes = order_frames(frames(16)[numbers], angles[numbers] + noise)
    assert torch.equal(counts, frames(16).float()) and float(even[1] - even[0]) == pytest.approx(0.01, rel=1e-3)
    assert any("averaged" in str(note) for note in notes)


def test_frames_in_zigzag_are_sorted() -> None:
    angles = torch.arange(16).double() * 0.01
    zigzag = torch.stack([torch.arange(8), 15 - torch.arange(8)], dim=1).flatten()
    counts, even = order_frames(frames(16)[zigzag], angles[zigzag])[:2]
    assert torch.equal(counts, frames(16).float()) and torch.allclose(even, angles)
