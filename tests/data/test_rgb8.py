import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.tasks.frozen.vgg16 import NORMALISATIONS, ToRGB8

ALL = torch.ones(1, 1, 32, 32, dtype=torch.bool)


def photons(value: float, edge: int = 32) -> torch.Tensor:
    return torch.full((1, 1, edge, edge), value)


@pytest.mark.parametrize("clip", [1, 2, 5, 10, 20, 50, 100, 1000])
def test_the_clip_is_white_and_half_of_it_is_half_grey(clip: float) -> None:
    view = ToRGB8(clip=clip)
    grey = [int(view.grey(photons(value), ALL)[0, 0, 0, 0]) for value in (0, clip / 2, clip, 3 * clip)]
    assert grey == [0, 128, 255, 255]


def test_masked_pixels_are_black_whatever_they_hold() -> None:
    mask = ALL.clone()
    mask[..., 4:8] = False
    pattern = photons(10.0)
    pattern[..., 5] = float("nan")
    grey = ToRGB8().grey(pattern, mask)
    assert (grey[..., 4:8] == 0).all() and (grey[mask] == 255).all() and grey.dtype == torch.uint8


def test_a_uniform_pattern_stays_uniform_with_the_mean_and_deviation_of_imagenet() -> None:
    image = ToRGB8()(photons(10.0), ALL)
    mean, deviation = NORMALISATIONS["imagenet"]
    white = (1 - torch.tensor(mean)) / torch.tensor(deviation)
    assert image.shape == (1, 3, 224, 224)
    torch.testing.assert_close(image, white[None, :, None, None].expand_as(image))
    torch.testing.assert_close(ToRGB8(channel_order="bgr")(photons(10.0), ALL), image.flip(1))
    torch.testing.assert_close(ToRGB8(normalise="none")(photons(5.0), ALL)[0, :, 7, 7], torch.full((3,), 128 / 255))


def test_enlarging_is_bilinear_and_shrinking_averages() -> None:
    ramp = torch.arange(32.0).repeat(32, 1)[None, None] * 0.25
    image = ToRGB8(size=64, normalise="none")(ramp, ALL)[0, 0, 5] * 10
    expected = (torch.arange(64.0) / 2 - 0.25).clamp(0, 31) * 0.25  # pixel centres, edges held
    torch.testing.assert_close(image, expected, atol=0.03, rtol=0)
    checks = 10.0 * (torch.arange(128)[:, None] + torch.arange(128) & 1)[None, None]
    small = ToRGB8(size=32, normalise="none")(checks, torch.ones_like(checks, dtype=torch.bool))
    torch.testing.assert_close(small[..., 2:-2, 2:-2], torch.full((1, 3, 28, 28), 0.5), atol=0.01, rtol=0)


def test_the_central_square_is_taken_after_crop_and_bin() -> None:
    pattern = torch.zeros(1, 1, 40, 64)
    pattern[..., 20, 32] = 3.0
    mask = torch.ones_like(pattern, dtype=torch.bool)
    grey = ToRGB8().grey(pattern, mask)
    assert grey.shape == (1, 1, 40, 40) and grey[0, 0, 20, 20] == 76
    assert ToRGB8(crop=32, bin=2).grey(pattern, mask)[0, 0, 8, 8] == 76


def test_jpeg_changes_little_at_high_quality_and_more_at_low() -> None:
    pattern = torch.poisson(torch.rand(2, 1, 32, 32) * 8)
    mask = ALL.expand(2, -1, -1, -1)
    plain = ToRGB8().grey(pattern, mask).float()
    change = [(ToRGB8(jpeg=quality).grey(pattern, mask).float() - plain).abs().mean() for quality in (95, 75, 10)]
    assert 0 < change[0] < 4 < change[1] < change[2] < 60


def test_a_colour_map_of_matplotlib_colours() -> None:
    image = ToRGB8(colours="viridis", normalise="none")(photons(10.0), ALL)[0, :, 0, 0]
    torch.testing.assert_close(image, torch.tensor([253, 231, 36]) / 255, atol=1.1 / 255, rtol=0)


def test_settings_name_every_option() -> None:
    assert ToRGB8(clip=5).settings | {"clip": 10.0} == ToRGB8().settings
    assert ToRGB8(**ToRGB8(jpeg=75, bin=2).settings).settings["jpeg"] == 75


@pytest.mark.parametrize(
    "option",
    [{"clip": 0}, {"size": 16}, {"jpeg": 100}, {"colours": "beige"}, {"normalise": "x"}, {"channel_order": "gbr"}],
)
def test_options_out_of_range_are_named(option: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"network.{next(iter(option))}="):
        ToRGB8(**option)
