import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.masks.convention import BAD, HAS_SIGNAL, choose_convention, from_bits, measured, to_bits
from spi_lightning.notes import Level


def frames(keep, junk=0.0) -> np.ndarray:
    """Photons where the detector measures, `junk` elsewhere."""
    photons = np.random.default_rng(0).poisson(2.0, (3, *keep.shape[-2:])).astype(np.float32)
    return np.where(keep, photons, np.float32(junk))


@pytest.fixture
def keep() -> np.ndarray:
    keep = np.ones((8, 8), dtype=bool)
    keep[3:5] = False
    return keep


@given(st.lists(st.booleans(), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_bits_of_a_mask_give_it_back(values) -> None:
    mask = np.array(values)
    np.testing.assert_array_equal(from_bits(to_bits(mask)), mask)


def test_bits_that_exclude_a_pixel_are_those_of_the_format() -> None:
    bits = np.array([0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, HAS_SIGNAL], dtype=np.uint32)
    bad = {1, 2, 4, 8, 0x10, 0x40, 0x80, 0x200, 0x400}
    np.testing.assert_array_equal(from_bits(bits), [int(b) not in bad for b in bits])
    assert sum(bad) == BAD


@pytest.mark.parametrize("convention", ["cxi", "good", "bad", "dragonfly"])
def test_a_stated_sense_is_followed(keep, convention) -> None:
    values = {"cxi": np.where(keep, HAS_SIGNAL, 0x200), "good": keep * 1, "bad": ~keep * 1, "dragonfly": ~keep * 2}
    sense, note = choose_convention(values[convention], frames(keep, 9.0), convention, "f.h5: mask")
    assert sense == convention
    assert "as set" in str(note)
    np.testing.assert_array_equal(measured(values[convention], sense), keep)


@pytest.mark.parametrize(
    ("name", "bits", "values", "junk", "sense", "why"),
    [
        ("mask", "", lambda keep: keep * 1, 0, "good", "no photons where it is 0"),
        ("mask", "", lambda keep: ~keep * 1, 0, "bad", "no photons where it is 1"),
        ("mask", "", lambda keep: keep * 1, 5, "good", "most pixels are 1"),
        ("mask", "", lambda keep: ~keep * 1, 5, "bad", "most pixels are 0"),
        ("good_pixels", "", lambda keep: keep * 1, 5, "good", "by its name"),
        ("bad_pixels", "", lambda keep: ~keep * 1, 5, "bad", "by its name"),
        ("detector_1/mask", "cxi", lambda keep: ~keep * 1, 5, "cxi", "where CXI keeps"),
        ("detector_1/mask", "cxi", lambda keep: keep * 1, 0, "good", "against CXI"),
        ("mask", "", lambda keep: ~keep * 0x200, 0, "cxi", "values beyond 0 and 1"),
        ("mask", "", lambda keep: keep * 0, 5, "bad", "all values are 0"),
        ("mask", "", lambda keep: keep * 0 + 1, 5, "good", "all values are 1"),
    ],
)
def test_auto_decides_by_the_stated_rules_and_notes_them(keep, name, bits, values, junk, sense, why) -> None:
    chosen, note = choose_convention(values(keep), frames(keep, junk), "auto", f"f.h5: {name}", bits)
    assert chosen == sense
    assert why in str(note)


def test_zeros_alone_in_a_mask_of_good_pixels_are_refused(keep) -> None:
    with pytest.raises(UserError, match=r"nothing was measured; .* give data.mask_convention=bad"):
        choose_convention(keep * 0, frames(keep), "auto", "f.h5: good")
    assert choose_convention(keep * 0, frames(keep), "bad", "f.h5: good")[0] == "bad"


def test_half_and_half_is_undecidable() -> None:
    half = np.indices((4, 4)).sum(0) % 2
    with pytest.raises(UserError, match=r"give data.mask_convention=good or bad"):
        choose_convention(half, np.ones((1, 4, 4), dtype=np.float32), "auto", "f.h5: mask")


@pytest.mark.parametrize(("convention", "values"), [("good", "bad"), ("bad", "good"), ("cxi", "good")])
def test_an_inverted_sense_is_refused_with_the_other(keep, convention, values) -> None:
    stored = keep * 1 if values == "good" else ~keep * 1
    with pytest.raises(UserError, match="is its sense inverted") as error:
        choose_convention(stored, frames(keep), convention, "f.h5: mask")
    assert "try data.mask_convention=" + ("bad" if convention == "good" else "good") in str(error.value)


def test_a_mask_over_most_photons_is_a_warning(keep) -> None:
    photons = frames(keep)
    photons[:, 3:5] = 100
    assert choose_convention(~keep * 1, photons, "bad", "f.h5: mask")[1].level is Level.WARNING


def test_nothing_measured_and_unknown_words_are_refused(keep) -> None:
    with pytest.raises(UserError, match=r"excludes 100.00% of the pixels"):
        choose_convention(keep * 0, frames(keep), "good", "f.h5: mask")
    with pytest.raises(UserError, match=r"choose one of auto, cxi, nexus, euxfel, good, bad"):
        choose_convention(keep * 1, frames(keep), "inverted", "f.h5: mask")
    with pytest.raises(UserError, match="below 0"):
        choose_convention(keep * 1 - 1, frames(keep), "auto", "f.h5: mask")


def test_more_than_half_missing_is_not_inverted() -> None:
    dead = np.zeros((8, 8), dtype=bool)
    dead[:5] = True
    mask = dead.copy()
    mask[5, :2] = True  # pixels that hold counts
    photons = frames(~dead)
    assert choose_convention(mask * 1, photons, "auto", "f.h5: mask", dead=dead)[0] == "bad"
    assert choose_convention(~mask * 1, photons, "auto", "f.h5: mask", dead=dead)[0] == "good"
    garbage = np.where(dead, 50, photons)
    assert choose_convention(mask * 1, garbage, "bad", "f.h5: mask")[0] == "bad"


@pytest.mark.parametrize(("bits", "bit", "bad"), [("euxfel", 8, True), ("cxi", 8, False), ("nexus", 31, False)])
def test_bits_by_path(keep, bits, bit, bad) -> None:
    values = np.where(keep, 0, 1 << bit).astype(np.uint32)
    sense, note = choose_convention(values, frames(keep), "auto", "f.h5: mask", bits)
    assert sense == bits and ("where" in str(note))
    assert measured(values, sense).all() != bad


def test_white_is_one(keep) -> None:
    assert choose_convention(keep * 255, frames(keep), "auto", "mask.tif")[0] == "good"
    assert choose_convention(~keep * 255, frames(keep), "auto", "mask.tif")[0] == "bad"


@pytest.mark.parametrize("noise", [0, 1])
def test_a_mask_over_hot_pixels_notes_their_share_of_all_counts_and_is_no_warning(tmp_path, noise) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.1, (20, 40, 60)).astype("i4")
    counts[:, 5, 7] = counts[:, 30, 41] = 5000
    counts += noise * rng.poisson(40.0, counts.shape).astype("i4") * (counts > 4000)
    mask = np.zeros((40, 60), dtype="u1")
    mask[18:21] = mask[5, 7] = mask[30, 41] = 1
    np.save(tmp_path / "a.npy", counts)
    np.save(tmp_path / "mask.npy", mask)
    notes = open_patterns(tmp_path / "a.npy", PatternKeys(mask=str(tmp_path / "mask.npy")), "bad").notes
    note = next(line for line in notes if "excludes" in str(line))
    samples = counts[np.unique(np.linspace(0, 19, 8).astype(int))]
    share = samples[:, mask > 0].sum() / samples.sum()
    assert f"excludes {mask.mean():.2%} of the pixels, {share:.2%} of the photons" in str(note) and share > 0.9
    assert "WARNING" not in str(note)
    assert ("where counts at the largest value are left out)" in str(note)) == (not noise)
