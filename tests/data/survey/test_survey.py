"""Survey of a file, and the recipe that is written from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from spi_lightning.apps.configuration.plain_words import choice_of_file
from spi_lightning.data.survey.bad_pixels import find_bad_pixels
from spi_lightning.data.survey.labelled import draw_labelled, labelled_cells
from spi_lightning.data.survey.recipe import propose_mask, write_recipe
from spi_lightning.data.survey.survey import Survey, survey
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT, PHOTONS
from spi_lightning.simulate import LikeFileSimulator
from tests.apps.small_runs import CONF
from tests.data.scale.test_file_scale import file_of

SHAPE, CENTRE, WIDTH, PHOTONS_OF_HIT, LEVEL = (96, 120), (55.3, 51.7), 9.0, 4e3, 0.05


@pytest.fixture(scope="module")
def found() -> Survey:
    return survey(file_of(SHAPE, CENTRE, [WIDTH] * 24, PHOTONS_OF_HIT, 16, 0.5, LEVEL))


def simulator(recipe: Path, *words: str) -> LikeFileSimulator:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("simulate", overrides=[choice_of_file(f"simulate={recipe}"), *words])
    made = instantiate(cfg.simulate, _convert_="all")
    assert isinstance(made, LikeFileSimulator)
    return made


def test_a_survey_finds_what_the_file_was_made_of(found: Survey) -> None:
    assert (found.hits, found.frames) == (24, 40) and found.blank_rate == pytest.approx(0.4)
    assert found.scale.speckle_width == pytest.approx(WIDTH, rel=0.05)
    assert np.mean(found.level) == pytest.approx(LEVEL, rel=0.1) and found.level_frames >= 8
    hidden = np.median(found.photons) / PHOTONS_OF_HIT  # behind the beam hole
    assert 0.3 < hidden < 0.9 and np.std(np.log(found.photons)) < 0.1
    assert found.cells.shape == found.cells_mask.shape == (24, 64, 64)
    assert found.dispersion is None or found.dispersion == pytest.approx(1, abs=0.1)
    assert found.bad.count == 0


def test_counts_that_are_no_photons_are_noted() -> None:
    file = file_of((128, 128), (63.5, 63.5), [9.0] * 12, 4e3, 40, background=0.3)
    photons = 3 * file.read(np.arange(len(file)))
    from spi_lightning.api.patterns import as_patterns

    doubled = survey(as_patterns(photons, file.read_mask([0])[0]))
    assert doubled.dispersion == pytest.approx(3, rel=0.1)
    assert any("not one photon" in str(note) and "data.adu_per_photon" in str(note) for note in doubled.notes)


def test_without_hits_one_line_says_so() -> None:
    with pytest.raises(UserError, match="none of 20 frames is a hit, so there is nothing to simulate"):
        survey(file_of((64, 64), (31.5, 31.5), [8.0], 0.1, 19))


def test_without_blank_frames_the_background_is_assumed_and_said() -> None:
    found = survey(file_of(SHAPE, CENTRE, [WIDTH] * 12, 3e3, 0, background=LEVEL))
    assert found.level_frames == 0 and found.level[0] < 4 * LEVEL
    assert any("12 of 12 frames are hits" in str(note) for note in found.notes)


def test_hot_and_dead_pixels_are_proposed_and_not_used(found: Survey, tmp_path: Path) -> None:
    total = torch.poisson(torch.full((40, 50), 30.0, dtype=torch.float64))
    mask = torch.ones(40, 50, dtype=torch.bool)
    total[3, 4], total[20, 20], total[30, 0], mask[10:12] = 4000.0, 0.0, 900.0, False
    total[10:12] = 0
    bad = find_bad_pixels(total, mask, 20)
    assert bad.hot.nonzero().tolist() == [[3, 4], [30, 0]] and bad.dead.nonzero().tolist() == [[20, 20]]
    assert find_bad_pixels(total, mask, 3).count == 0
    shown = replace(found, shape=(40, 50), measured=mask.numpy(), bad=bad)
    (note,) = propose_mask(shown, tmp_path / "proposed.npy")
    assert "2 pixels look hot and 1 dead" in str(note) and "data.keys.mask=" in str(note)
    proposed = np.load(tmp_path / "proposed.npy")
    assert proposed.sum() == mask.sum() - 3 and not proposed[3, 4]
    write_recipe(shown, tmp_path / "tuned.yaml")
    assert np.load(tmp_path / "tuned_mask.npy")[3, 4]
    assert propose_mask(found, tmp_path / "none.npy") == [] and not (tmp_path / "none.npy").exists()


def test_a_recipe_says_of_every_value_where_it_comes_from(found: Survey, tmp_path: Path) -> None:
    path = write_recipe(found, tmp_path / "tuned.yaml")
    lines = [line for line in path.read_text().splitlines()[4:] if not line.strip().endswith(":")]
    sources = ("measured", "stated", "assumed", "canonical", "64 x 64")
    assert lines and all(any(word in line.partition("#")[2] for word in sources) for line in lines)
    values = yaml.safe_load(path.read_text())
    assert values["speckle"] == pytest.approx(found.scale.speckle_width, rel=1e-3)
    assert values["photons"] == sorted(values["photons"]) and values["blank_rate"] == 0.4
    assert np.load(values["mask"]).dtype == np.bool_


def test_the_simulation_of_a_recipe_is_like_the_file(found: Survey, tmp_path: Path) -> None:
    path = write_recipe(found, tmp_path / "mine.yaml", ["sphere"])
    drawn = simulator(path, "simulate.blanks=0.5", "simulate.block_size=64")(0, 0)
    assert drawn[PHOTONS].shape == (64, 64, 64)
    assert torch.equal(drawn["mask"].all(0), found.cells_mask[0])
    photons = drawn["photon_count"][drawn["photon_count"] > 0]
    assert float(photons.median()) == pytest.approx(float(np.median(found.photons)), rel=0.2)
    detector = simulator(path, "simulate.frame=detector", "simulate.blank_rate=0.5")(0, 0)
    blank = detector["photon_count"] == 0
    level = detector[PHOTONS][blank][:, torch.from_numpy(found.measured)].mean()
    assert float(level) == pytest.approx(LEVEL, rel=0.2)
    assert detector[PHOTONS].shape[1:] == SHAPE and torch.equal(detector[PHOTONS], detector[PHOTONS].round())
    assert not detector[PHOTONS][:, ~torch.from_numpy(found.measured)].any()
    assert detector["beam_centre"][0].tolist() == pytest.approx(CENTRE, abs=0.5)


def test_unknown_bodies_and_foreign_masks_are_refused(found: Survey, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown body pyramid; choose from sphere"):
        write_recipe(found, tmp_path / "tuned.yaml", ["pyramid"])
    path = write_recipe(found, tmp_path / "tuned.yaml")
    np.save(tmp_path / "small.npy", np.ones((3, 3), dtype=bool))
    with pytest.raises(Exception, match="bool of 96 x 120 pixels is needed"):
        simulator(path, f"simulate.mask={tmp_path / 'small.npy'}")


def test_labelled_frames_are_drawn_of_both_labels_and_become_cells(found: Survey) -> None:
    file = file_of(SHAPE, CENTRE, [WIDTH] * 24, PHOTONS_OF_HIT, 16, 0.5, LEVEL)
    label = np.full(40, -1)
    label[found.frame[found.is_hit]] = np.arange(24) % 3 == 0
    labelled = file.changed(labels={IS_SINGLE_HIT: label})
    frames = draw_labelled(labelled, 12, 0)
    assert len(frames) == 12 and (label[frames] == 1).sum() == 6 and (label[frames] == 0).sum() == 6
    assert len(draw_labelled(labelled, 100, 0)) == 24 and len(draw_labelled(labelled, 0, 0)) == 0
    assert len(draw_labelled(file, 12, 0)) == 0, "a file without labels"
    kept = labelled_cells(labelled, frames, found.scale)
    assert kept.photons.shape == (12, 64, 64) and kept.is_single_hit.tolist() == label[frames].tolist()
