"""Hits of any experiment in the canonical frame."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.fields import FIELDS, Kind
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.sphere_fit import fit_sphere
from spi_lightning.simulate import (
    BackgroundRecipe,
    CanonicalGeometry,
    CanonicalHitSimulator,
    CountingRecipe,
    DetectorRecipe,
    ParticleRecipe,
    SceneRecipe,
)
from tests.apps.small_runs import CONF

PERFECT = {"scale_error": 0.0, "outliers": 0.0, "beam_error": 0.0, "gross": 0.0}


def perfect(**changes) -> CanonicalHitSimulator:
    """Single spheres on an ideal detector, known scale and beam, no background."""
    none = {"flat": 0.0, "halo": 0.0, "structured": 0.0, "streak": 0.0, "gain_tilt": 0.0}
    options = {
        "scene": SceneRecipe(
            kinds={"single": 1.0}, particle=ParticleRecipe(bodies={"sphere": 1.0}, diameter=(1.0, 1.0))
        ),
        "geometry": CanonicalGeometry(pixels=(24.0, 24.0), **PERFECT),
        "detector": DetectorRecipe({"whole": 1.0}, hole=(0.0, 0.0), cut=0.0, round=0.0, dead=0.0, lost_panel=0.0),
        "background": BackgroundRecipe(**none),
        "counting": CountingRecipe(lumps=0.0, wrong_gain=0.0, hot=0.0),
        "photons": (2e5, 2e5),
        "blanks": 0.0,
        "block_size": 16,
    }
    return CanonicalHitSimulator(**{**options, **changes})


def general(**changes) -> CanonicalHitSimulator:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("simulate", overrides=["simulate=general"])
    return instantiate(cfg.simulate, _convert_="all", **changes)


def test_a_block_holds_the_fields_and_is_fixed_by_seed_and_number() -> None:
    simulator = general(block_size=48)
    first, again, other = simulator(2, 5), simulator(2, 5), simulator(3, 5)
    names = list(FIELDS)
    assert set(first) == set(names[: names.index("seed") + 1])
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["photons"], other["photons"])
    assert not set(first["particle_id"].tolist()) & set(other["particle_id"].tolist())
    assert first["photons"].shape == (48, 64, 64) and torch.isfinite(first["photons"]).all()
    assert (first["photons"] >= 0).all() and first["photons"][~first["mask"]].sum() == 0
    assert torch.equal(first["is_single_hit"] == 1, first["kind"] == Kind.SINGLE)


def test_the_speckle_of_the_usual_particle_is_six_cells_wide_at_any_energy_and_size() -> None:
    block = perfect()(0, 0)
    wavelength = wavelength_from_energy(1.0) / block["photon_energy"]
    assert (wavelength / block["diameter"]).max() <= 0.0401
    speckle = wavelength * block["distance"] / (block["diameter"] * block["pixel_size"])
    torch.testing.assert_close(speckle, torch.full((16,), 6.0), rtol=1e-4, atol=0)
    profile = block["photons"][:, 31:33].sum(1)[:, 32:]  # from half a cell beside the beam outwards
    minimum = profile[:, 5:12].argmin(1) + 5.5
    assert (minimum - 1.43 * 6).abs().max() <= 1


def test_photons_scatter_into_the_measured_cells_as_drawn() -> None:
    block = perfect(detector=DetectorRecipe(), photons=(1e4, 1e4))(0, 1)
    seen = block["photon_count"] > 1e3  # a mask may hide the particle
    torch.testing.assert_close(block["photon_count"][seen], torch.full((int(seen.sum()),), 1e4), rtol=0.01, atol=0)


def test_blank_frames_hold_background_alone() -> None:
    block = perfect(blanks=1.0)(0, 0)
    assert block["photons"].sum() == 0
    assert not block["is_single_hit"].any() and not block["particle_count"].any()


def test_a_body_appears_larger_where_its_fitted_sphere_is_smaller() -> None:
    recipe = SceneRecipe(kinds={"single": 1.0}, particle=ParticleRecipe(bodies={"torus": 1.0}, diameter=(1.0, 1.0)))
    options = {"scene": recipe, "geometry": CanonicalGeometry(diameter=(6e-8, 6e-8), **PERFECT)}
    assert torch.allclose(perfect(**options)(0, 0)["diameter"], torch.tensor(6e-8))
    diameter = perfect(**options, apparent={"torus": 0.5})(0, 0)["diameter"]
    assert diameter.min() >= 5.99e-8 and diameter.max() <= 12.01e-8 and diameter.std() > 1e-8
    with pytest.raises(UserError, match="donut"):
        perfect(apparent={"donut": 0.5})


@pytest.mark.parametrize(
    ("pixels", "width", "pixel"),
    [(6.0, 6.0, 1.0), (6.5, 6.5, 1.0), (12.6, 6.3, 0.5), (3.0, 6.0, 2.0), (8.0, 6.0, 0.75), (40.0, 40 / 7, 1 / 7)],
)
def test_cells_are_whole_pixels_where_that_comes_close(pixels: float, width: float, pixel: float) -> None:
    found = CanonicalGeometry()._cells(torch.tensor([pixels]))
    torch.testing.assert_close(torch.stack(found)[:, 0], torch.tensor([width, pixel]))


@pytest.mark.parametrize("body", ["rice", "rod", "long_rod", "platelet", "torus"])
def test_the_apparent_diameter_is_that_of_the_fitted_sphere(body: str) -> None:
    wide = general()
    recipe = ParticleRecipe({body: 1.0}, (1.0, 1.0), stretch=0.1, shapes=wide.scene.particle.shapes)
    geometry = CanonicalGeometry((1600.0, 1601.0), (6e-8, 6.001e-8), pixels=(24.0, 24.0), **PERFECT)
    drawn = perfect(scene=SceneRecipe({"single": 1.0}, recipe), geometry=geometry, block_size=40)(0, 1)
    distance, wavelength = float(drawn["distance"][0]), wavelength_from_energy(1.0) / float(drawn["photon_energy"][0])
    whole = torch.ones_like(drawn["mask"])
    fitted = fit_sphere(drawn["photons"], whole, drawn["beam_centre"], distance, 1e-3, wavelength).diameter
    found = float((fitted / drawn["diameter"]).median())
    assert found == pytest.approx(wide.apparent[body], rel=0.2)  # the middle of what orientations and noise give
