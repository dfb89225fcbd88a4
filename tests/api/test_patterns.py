"""Patterns of files, arrays and simulations as one type."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning import UserError, open_patterns, simulate_patterns
from spi_lightning.api.patterns import as_patterns
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import PatternFile
from spi_lightning.io.patterns import content_key

RNG = np.random.default_rng(0)
PHOTONS = RNG.poisson(2.0, (5, 8, 9))


@pytest.fixture(scope="module")
def simulated() -> PatternFile:
    return simulate_patterns("hits", 6, seed=3, shape=[32, 32], block_size=4)


def test_arrays_of_numpy_and_torch_are_patterns() -> None:
    for photons in (PHOTONS, torch.from_numpy(PHOTONS), PHOTONS.tolist()):
        assert np.array_equal(as_patterns(photons).read(range(5)), PHOTONS)
    assert as_patterns(PHOTONS[0]).shape == (1, 8, 9)


def test_values_that_are_not_finite_are_not_measured() -> None:
    frames = PHOTONS.astype(float)
    frames[2, 3, 4] = np.nan
    patterns = as_patterns(frames)
    assert not patterns.read_mask([2])[0, 3, 4]
    assert patterns.read_mask(range(5)).sum() == frames.size - 1
    assert patterns.read([2])[0, 3, 4] == 0


def test_a_mask_is_added_to_what_is_not_finite() -> None:
    frames, mask = PHOTONS.astype(float), np.ones((8, 9), dtype=bool)
    frames[0, 0, 0], mask[1, 1] = np.inf, False
    assert (~as_patterns(frames, mask).read_mask([0, 1])).sum(axis=(1, 2)).tolist() == [2, 1]


def test_one_mask_for_all_and_one_for_each() -> None:
    each = RNG.random(PHOTONS.shape) > 0.3
    assert np.array_equal(as_patterns(PHOTONS, each).read_mask(range(5)), each)
    assert np.array_equal(as_patterns(PHOTONS, each[0].astype(int)).read_mask([3])[0], each[0])


def test_a_mask_holds_in_every_file_of_a_list_and_for_chosen_frames(tmp_path: Path) -> None:
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", PHOTONS + number)
    frames, each = np.concatenate([PHOTONS, PHOTONS + 1])[[7, 1]], RNG.random((2, 8, 9)) > 0.3
    chosen = open_patterns(str(tmp_path / "*.npy"), index=[7, 1])
    for mask in (each, each[0]):
        patterns = as_patterns(chosen, mask)
        assert np.array_equal(patterns.read_mask([0, 1]), np.broadcast_to(mask, frames.shape))
        assert np.array_equal(patterns.read([0, 1]), frames * mask)
        assert patterns.masks_differ == (mask is each)


def test_masks_that_differ_give_keys_that_differ_of_large_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_key, "READ_WHOLE", 0)
    monkeypatch.setattr(content_key, "_SAMPLES", 2)
    np.save(tmp_path / "frames.npy", PHOTONS)
    masks = np.ones((2, *PHOTONS.shape), dtype=bool)
    masks[1, 2, 3, 4] = False  # of a frame that is not among the two that are read
    first, second = (content_key.content_key(as_patterns(tmp_path / "frames.npy", mask)) for mask in masks)
    assert first != second


def test_labels_are_those_of_the_call() -> None:
    patterns = as_patterns(PHOTONS, labels=[1, 0, -1, 1, 0])
    assert patterns.labels[IS_SINGLE_HIT].tolist() == [1, 0, -1, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((PHOTONS[0, 0],), "shape"),
        ((PHOTONS[:0],), "shape"),
        ((PHOTONS * 1j,), "complex"),
        ((["a", "b"],), "give numbers"),
        ((PHOTONS, np.ones((9, 8))), "mask: shape"),
        ((PHOTONS, np.full((8, 9), 2)), "True and False"),
        ((PHOTONS, np.zeros((8, 9))), "no pixel is True"),
        ((PHOTONS, None, [1, 0]), r"does not fit 5 patterns"),
        ((PHOTONS, None, [1, 0, 3, 0, 0]), "unknown"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        as_patterns(*arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_simulated_patterns_have_labels_masks_and_geometry(simulated: PatternFile) -> None:
    assert simulated.shape == (6, 32, 32)
    assert simulated.masks_differ
    assert set(np.unique(simulated.labels[IS_SINGLE_HIT])) <= {0, 1}
    assert {name: len(values) for name, values in simulated.geometry.items()} == dict.fromkeys(
        ("distance", "pixel_size", "photon_energy", "beam_centre"), 6
    )
    photons = simulated.read(range(6))
    assert np.array_equal(photons, np.rint(photons))


def test_a_seed_gives_the_same_patterns_and_more_of_them_begin_alike(simulated: PatternFile) -> None:
    more = simulate_patterns("hits", 7, seed=3, shape=[32, 32], block_size=4)
    assert np.array_equal(more.read(range(6)), simulated.read(range(6)))


def test_settings_reach_into_the_recipe() -> None:
    patterns = simulate_patterns("hits", 4, geometry__photon_energy=[1200, 1200], shape=[32, 32], block_size=4)
    assert patterns.geometry["photon_energy"].tolist() == [1200.0] * 4


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("nothing", {}, "choose one of"),
        ("hits", {"brightness__no": 1}, "no setting brightness.no"),
        ("hits", {"patterns": 0}, "patterns=0"),
        ("crystals", {}, "3D particles"),
        ("hits", {"geometry__pixel_size": "small"}, "geometry.pixel_size=small"),
        ("hits", {"block_size": 3, "patterns_per_model": 2}, "multiple"),
    ],
)
def test_a_simulation_that_cannot_be_made_is_one_line(recipe: str, settings: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        simulate_patterns(recipe, **settings)  # type: ignore[arg-type]


def test_a_file_is_opened_by_the_names_of_its_data_sets(tmp_path: Path) -> None:
    path = tmp_path / "frames.npy"
    np.save(path, PHOTONS)
    opened = open_patterns(path, distance=0.5)
    assert np.array_equal(opened.read(range(5)), PHOTONS)
    assert opened.geometry["distance"] == 0.5
    with pytest.raises(UserError, match="wavelength is unknown"):
        open_patterns(path, wavelength=1e-9)


def test_a_path_takes_the_words_of_open_patterns(tmp_path: Path) -> None:
    path, mask = tmp_path / "adu.npy", np.ones((8, 9), np.uint8)
    mask[0] = 0
    np.save(path, (PHOTONS * 12.5).astype(np.float32))
    np.save(tmp_path / "good.npy", mask)
    opened = as_patterns(path, str(tmp_path / "good.npy"), words={"adu_per_photon": 12.5, "index": [3, 1]})
    assert np.array_equal(opened.read([0, 1]), PHOTONS[[3, 1]] * mask)
    with pytest.raises(UserError, match="adu_per_photon: is for files"):
        as_patterns(PHOTONS, words={"adu_per_photon": 12.5})


def test_a_mask_of_the_other_sense_is_refused() -> None:
    frames, bad = PHOTONS.copy(), np.zeros((8, 9), np.uint8)
    bad[:, 4] = 1
    frames[:, :, 4] = 0
    assert as_patterns(frames, bad == 0).read_mask([0]).sum() == 64
    with pytest.raises(UserError, match=r"^mask: leaves out 88.9% of the pixels and 100.0% of the photons; True is"):
        as_patterns(frames, bad)
    with pytest.raises(UserError, match="no pixel is True"):
        as_patterns(frames, np.zeros((8, 9), np.uint8))


def test_labels_may_be_words() -> None:
    words = ["single", "blank", "multi", "single", "unknown"]
    assert as_patterns(PHOTONS, labels=words).labels[IS_SINGLE_HIT].tolist() == [1, 0, 0, 1, -1]  # type: ignore[arg-type]
    own = np.array(["good", "junk", "junk", "good", ""])
    mapped = as_patterns(PHOTONS, labels=own, words={"positive": "good"})
    assert mapped.labels[IS_SINGLE_HIT].tolist() == [1, 0, 0, 1, -1]
    with pytest.raises(UserError, match="positive=WORD"):
        as_patterns(PHOTONS, labels=own)


def test_a_file_prints_as_a_few_lines_without_its_values(simulated: PatternFile) -> None:
    text = repr(simulated)
    assert "6 of 32 x 32 pixels" in text
    assert "array(" not in text
    assert len(text.splitlines()) < 12
    assert simulated._repr_html_().count("<tr>") == len(text.splitlines()) - 1
    (drawn,) = simulated.plot(frames=[4]).axes[0].images
    measured = simulated.read_mask([4])[0]
    assert np.array_equal(~np.ma.getmaskarray(drawn.get_array()), measured)
