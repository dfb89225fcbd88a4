import pytest
import torch

from spi_lightning.data.transforms import Preprocess, reflect, views
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch


def batch(patterns: int = 6, size: int = 16) -> Batch:
    torch.manual_seed(0)
    mask = torch.ones(patterns, 1, size, size, dtype=torch.bool)
    mask[:, :, 7:9] = False
    mask[:, :, :4, :4] = False
    photons = torch.poisson(5 * torch.rand(patterns, 1, size, size)) * mask
    return {PHOTONS: photons, MASK: mask, FRAME: torch.arange(patterns)}


@pytest.mark.parametrize("scale", ["sqrt", "log", "none"])
@pytest.mark.parametrize("standardise", ["none", "scalar", "pixel"])
def test_masked_pixels_are_zero_before_and_after(scale: str, standardise: str) -> None:
    patterns = batch()
    preprocess = Preprocess(scale=scale, standardise=standardise, mask_channel=True)
    preprocess.fit([patterns])
    spoilt = {**patterns, PHOTONS: torch.where(patterns[MASK], patterns[PHOTONS], 1e9)}
    found = preprocess(spoilt)
    assert found.shape == (6, 2, 16, 16) and found.dtype == torch.float32
    assert (found[:, :1][~patterns[MASK]] == 0).all()
    assert torch.equal(found[:, 1:].bool(), patterns[MASK])
    assert torch.equal(found, preprocess(patterns))


def test_square_root_of_counts_has_the_same_noise_at_every_brightness() -> None:
    torch.manual_seed(0)
    expected = torch.tensor([10.0, 100.0, 1000.0])[:, None, None, None].expand(3, 1, 100, 100)
    photons = {PHOTONS: torch.poisson(expected), MASK: torch.ones(3, 1, 100, 100, dtype=torch.bool)}
    noise = Preprocess(scale="sqrt")(photons).var(dim=(1, 2, 3))
    torch.testing.assert_close(noise, torch.full((3,), 0.25), rtol=0.07, atol=0)


def test_standardised_training_patterns_have_mean_zero_and_unit_variance() -> None:
    patterns = batch(40)
    parts = [{name: values[i : i + 7] for name, values in patterns.items()} for i in range(0, 40, 7)]
    measured = patterns[MASK]
    scalar = Preprocess(scale="none", standardise="scalar")
    scalar.fit(parts)
    found = scalar(patterns)[measured]
    torch.testing.assert_close(torch.stack([found.mean(), found.std()]), torch.tensor([0.0, 1.0]), atol=1e-4, rtol=1e-3)
    pixel = Preprocess(scale="none", standardise="pixel")
    pixel.fit(parts)
    assert pixel.mean.shape == (16, 16)
    assert pixel(patterns).mean(0).abs().max() < 1e-5
    assert pixel(patterns)[measured].std() == pytest.approx(1, abs=1e-3)


def test_a_stored_mean_image_is_found_again() -> None:
    fitted, fresh = Preprocess(standardise="pixel"), Preprocess(standardise="pixel")
    fitted.fit([batch()])
    assert fresh.needs_fit
    fresh.load_state_dict(fitted.state_dict())
    assert not fresh.needs_fit and torch.equal(fresh(batch()), fitted(batch()))


@pytest.mark.parametrize(("augment", "symmetries"), [("none", 1), ("flips", 4), ("dihedral", 8)])
def test_reflections_are_equally_likely_and_take_the_mask_along(augment: str, symmetries: int) -> None:
    size, patterns = 4, 4000
    photons = torch.arange(size**2, dtype=torch.float32).reshape(1, 1, size, size).expand(patterns, 1, size, size)
    frames = {PHOTONS: photons, MASK: photons > 7, FRAME: torch.arange(patterns)}
    found = reflect(frames, augment, draw=11)
    assert torch.equal(found[PHOTONS] > 7, found[MASK])
    kinds, counts = found[PHOTONS].flatten(1).unique(dim=0, return_counts=True)
    assert len(kinds) == symmetries
    assert (counts - patterns / symmetries).abs().max() < 6 * (patterns / symmetries) ** 0.5


def test_a_pattern_is_mirrored_alike_in_any_batch_and_otherwise_in_another_epoch() -> None:
    frames = batch(64)
    whole = reflect(frames, "dihedral", draw=3)[PHOTONS]
    half = reflect({name: values[32:] for name, values in frames.items()}, "dihedral", draw=3)[PHOTONS]
    assert torch.equal(whole[32:], half)
    assert not torch.equal(whole, reflect(frames, "dihedral", draw=4)[PHOTONS])


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UserError, match=r"preprocess.scale=cube.*sqrt, log, none"):
        Preprocess(scale="cube")
    with pytest.raises(UserError, match=r"data.augment=spin.*dihedral"):
        reflect(batch(), "spin", 0)
    blank = batch()
    blank[PHOTONS] = torch.zeros_like(blank[PHOTONS])
    with pytest.raises(UserError, match="no varying measured pixel"):
        Preprocess(standardise="scalar").fit([blank])


@pytest.mark.parametrize(("augment", "count"), [("none", 1), ("flips", 4), ("dihedral", 8)])
def test_views_are_all_that_reflections_can_give(augment: str, count: int) -> None:
    pattern = torch.rand(1, 1, 5, 5)
    found = {tuple(view.flatten().tolist()) for view in views(pattern, augment)}
    assert len(found) == count and len(views(pattern, augment)) == count
    many = {
        PHOTONS: pattern.expand(200, -1, -1, -1),
        MASK: pattern.expand(200, -1, -1, -1) > 0,
        FRAME: torch.arange(200),
    }
    assert {tuple(image.flatten().tolist()) for image in reflect(many, augment, 1)[PHOTONS]} == found


def test_patterns_that_are_not_square_have_no_quarter_turns() -> None:
    with pytest.raises(UserError, match=r"views=dihedral needs square patterns, not \(4, 6\)"):
        views(torch.zeros(2, 1, 4, 6), "dihedral")
