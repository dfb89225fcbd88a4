import pytest
import torch

from spi_lightning.data import PatternInput
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, INTENSITY, MASK, Batch


def batch(size: int = 16) -> tuple[Batch, torch.Tensor]:
    """Patterns of two small objects, and their autocorrelations by hand."""
    density = torch.zeros(2, size, size)
    density[0, 6:9, 7:12] = 1
    density[1, 8, 8] = density[1, 8, 11] = 1
    intensity = torch.fft.fftshift(torch.fft.fft2(density).abs().square(), dim=(-2, -1))
    autocorrelation = torch.zeros(2, size, size)
    y, x = torch.meshgrid(torch.arange(-2, 3), torch.arange(-4, 5), indexing="ij")
    autocorrelation[0, 6:11, 4:13] = (3 - y.abs()) * (5 - x.abs()).float() / 15
    autocorrelation[1, 8, 8], autocorrelation[1, 8, 5], autocorrelation[1, 8, 11] = 1, 0.5, 0.5
    mask = torch.ones(2, 1, size, size, dtype=torch.bool)
    return {INTENSITY: intensity[:, None], MASK: mask}, autocorrelation[:, None]


def test_the_autocorrelation_of_a_rectangle_and_of_two_points() -> None:
    patterns, expected = batch()
    torch.testing.assert_close(PatternInput(scale="none")(patterns), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(PatternInput(scale="sqrt")(patterns), expected.sqrt(), atol=2e-3, rtol=0)


@pytest.mark.parametrize("scale", ["none", "sqrt", "log"])
def test_every_channel_has_maximum_one_whatever_the_brightness(scale: str) -> None:
    patterns, _ = batch()
    make = PatternInput(("intensity", "autocorrelation"), scale, mask_channel=True)
    made = make(patterns)
    assert made.shape == (2, 3, 16, 16)
    torch.testing.assert_close(made.amax((-2, -1)), torch.ones(2, 3))
    brighter = make({**patterns, INTENSITY: 1e4 * patterns[INTENSITY]})
    torch.testing.assert_close(brighter, made, atol=1e-3, rtol=0)


def test_what_was_not_measured_does_not_show() -> None:
    patterns, _ = batch()
    patterns[MASK][:, :, 4:6] = False
    spoilt = patterns[INTENSITY].clone()
    spoilt[:, :, 4:6] = torch.nan
    make = PatternInput(("intensity", "autocorrelation"))
    torch.testing.assert_close(make({**patterns, INTENSITY: spoilt}), make(patterns))


def test_a_filled_hole_gives_the_autocorrelation_back() -> None:
    patterns, expected = batch()
    patterns[MASK][:1, :, 7:10, 7:10] = False
    spoilt = PatternInput(scale="none")(patterns)
    filled = PatternInput(scale="none", fill=True)(patterns)
    assert (spoilt[0] - expected[0]).abs().max() > 0.1
    assert (filled[0] - expected[0]).abs().max() < 0.02
    torch.testing.assert_close(filled[1], spoilt[1])  # nothing is missing there


@pytest.mark.parametrize(("value", "message"), [(torch.nan, "NaN"), (-1.0, "negative"), (0.0, "no photon")])
def test_patterns_that_mean_nothing_are_refused(value: float, message: str) -> None:
    patterns, _ = batch()
    if value == 0:
        patterns[INTENSITY] = torch.zeros_like(patterns[INTENSITY])
    else:
        patterns[INTENSITY][0, 0, 3, 3] = value
    with pytest.raises(UserError, match=message):
        PatternInput()(patterns)


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(UserError, match="kinds=phase"):
        PatternInput(("phase",))
    with pytest.raises(UserError, match="scale=square"):
        PatternInput(scale="square")


def test_an_empty_frame_is_named_by_its_number() -> None:
    intensity = torch.ones(3, 1, 8, 8)
    intensity[1:] = 0
    batch = {INTENSITY: intensity, MASK: torch.ones(3, 1, 8, 8, dtype=torch.bool), FRAME: torch.tensor([4, 7, 9])}
    with pytest.raises(UserError, match=r"frame 7 \(and 1 more\) has no photon"):
        PatternInput()(batch)
