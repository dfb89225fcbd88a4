"""Scenes, optics and the hit simulator."""

import pytest
import torch

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.fields import FIELDS, Kind
from spi_lightning.simulate import BadPixels, Brightness, HitSimulator, Optics, ParticleRecipe, SceneRecipe
from spi_lightning.simulate.projection import BODIES
from spi_lightning.simulate.scenes import CONTAMINANTS, far_apart, repeat_models, touching

KINDS = {kind.name.lower(): 1.0 for kind in Kind}


def simulator(**changes) -> HitSimulator:
    options = {"scene": SceneRecipe(kinds=KINDS), "shape": (32, 32), "block_size": 24, "samples": 24}
    return HitSimulator(**{**options, **changes})


def test_block_is_fixed_by_seed_and_number() -> None:
    first, again, other = simulator()(3, 5), simulator()(3, 5), simulator()(4, 5)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["photons"], other["photons"])
    assert not set(first["particle_id"].tolist()) & set(other["particle_id"].tolist())


def test_block_holds_the_fields_with_their_shapes() -> None:
    block = simulator()(0, 0)
    names = list(FIELDS)
    assert set(block) == set(names[: names.index("seed") + 1])  # then come fields of other subjects and of answers
    assert all(len(values) == 24 for values in block.values())
    assert torch.equal(block["photons"], block["photons"].round())
    torch.testing.assert_close(block["orientation"].norm(dim=1), torch.ones(24))
    assert torch.equal(block["is_single_hit"] == 1, block["kind"] == Kind.SINGLE)


def test_patterns_of_one_model_share_it_but_for_orientation() -> None:
    block = simulator(patterns_per_model=6)(0, 0)
    for values in (block["kind"], block["diameter"], block["particle_id"]):
        assert torch.equal(values.view(4, 6), values.view(4, 6)[:, :1].expand(4, 6))
    assert len(block["orientation"].unique(dim=0)) == 24
    with pytest.raises(UserError, match="patterns_per_model"):
        simulator(patterns_per_model=7)


def test_counts_follow_the_drawn_brightness() -> None:
    brightness = Brightness(median=3e4, sigma=0.2, minimum_photons=1e4, maximum_photons=1e5)
    block = simulator(brightness=brightness)(0, 1)
    total = block["photons"].sum((1, 2))
    assert ((total - block["photon_count"]).abs() < 6 * total.sqrt()).all()
    assert ((block["photon_count"] > 1e4) & (block["photon_count"] < 1e5)).all()


def test_faint_singles_are_not_usable() -> None:
    block = simulator(usable_photons=2e4, scene=SceneRecipe(kinds={"single": 1.0}))(0, 2)
    assert torch.equal(block["is_single_hit"] == 1, block["photon_count"] >= 2e4)
    assert 0 < block["is_single_hit"].sum() < 24


def test_blanks_hold_no_photon_of_a_particle_and_leave_the_others() -> None:
    scene, background = SceneRecipe(kinds={"single": 1.0}), Optics(flat=(0.5, 0.5))
    block = simulator(blanks=0.5, scene=scene, optics=background)(0, 2)
    blank = block["particle_count"] == 0
    assert 4 < blank.sum() < 20 and torch.equal(block["is_single_hit"] == 1, ~blank)
    assert (block["photon_count"][blank] == 0).all() and (block["kind"][blank] == Kind.CONTAMINANT).all()
    pixels = int(block["mask"][blank].sum())
    assert float(block["photons"][blank].sum()) == pytest.approx(0.5 * pixels, rel=0.05)
    assert (block["photon_count"][~blank] > 0).all()


def test_single_sphere_is_centrosymmetric_about_the_beam() -> None:
    recipe = SceneRecipe(kinds={"single": 1.0}, particle=ParticleRecipe(bodies={"sphere": 1.0}))
    brightness = Brightness(median=1e9, sigma=0.0, minimum_photons=1.0, maximum_photons=1e10)
    photons = simulator(scene=recipe, brightness=brightness)(0, 0)["photons"]
    turned = photons.flip(1, 2)
    assert ((photons - turned).abs() <= 7 * (photons + turned).sqrt() + 7).all()


def test_masked_pixels_count_nothing_and_stay_put() -> None:
    block = simulator(bad_pixels=BadPixels(hole=(8, 8), gap=(2, 2)), optics=Optics(flat=(1.0, 1.0)))(0, 0)
    expected = torch.ones(32, 32, dtype=torch.bool)
    expected[12:20, 12:20] = False
    expected[15:17] = False
    assert torch.equal(block["mask"], expected.expand(24, 32, 32))
    assert block["photons"][~block["mask"]].sum() == 0


def test_clusters_touch_without_overlap_and_far_pairs_are_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    diameter, present = torch.ones(50, 4), torch.ones(50, 4, dtype=torch.bool)
    centre = touching(diameter, present, torch.full((50,), 1.05), generator)
    distance = torch.cdist(centre, centre) + 10 * torch.eye(4)
    nearest = distance.amin(2)
    torch.testing.assert_close(nearest.amin(1), torch.full((50,), 1.05), rtol=0.1, atol=0)
    assert (distance > 0.94).float().mean() > 0.99
    torch.testing.assert_close(centre.mean(1), torch.zeros(50, 3), atol=1e-5, rtol=0)
    pair = far_apart(torch.tensor([3.0]), generator)
    assert (pair[0, 0] - pair[0, 1]).norm().item() == pytest.approx(3.0)


def test_particle_counts_say_what_is_in_the_beam() -> None:
    particles, kind, count = SceneRecipe(kinds=KINDS).draw(300, torch.Generator().manual_seed(0))
    assert torch.equal(torch.bincount(particles.pattern, minlength=300), count)
    for number, wanted in ((1, Kind.SINGLE), (2, Kind.DOUBLE), (3, Kind.TRIPLE), (4, Kind.QUADRUPLE)):
        assert (count[kind == wanted] == number).all()
    assert (count[kind == Kind.MANY] > 4).all()


@pytest.mark.parametrize("name", CONTAMINANTS)
def test_every_contaminant_differs_from_a_single(name: str) -> None:
    recipe = SceneRecipe(kinds={"contaminant": 1.0}, contaminants={name: 1.0}, particle=ParticleRecipe(diameter=(1, 1)))
    particles, _, count = recipe.draw(40, torch.Generator().manual_seed(0))
    alone = count[particles.pattern] == 1
    aspect = particles.stretch.amax(1) / particles.stretch.amin(1)
    size = (particles.diameter - 1).abs()
    assert ((size > 0.2) | (aspect > 1.3) | ~alone).all()


def test_members_of_an_aggregate_are_of_one_of_the_chosen_bodies() -> None:
    chosen = {"cube": 1.0, "octahedron": 2.0}
    recipe = SceneRecipe(kinds={"contaminant": 1.0}, contaminants={"aggregate": 1.0}, blobs=chosen)
    particles, _, _ = recipe.draw(60, torch.Generator().manual_seed(0))
    assert {BODIES[body] for body in particles.body.tolist()} == set(chosen)
    for scene in range(60):
        assert len(particles.body[particles.pattern == scene].unique()) == 1
    with pytest.raises(UserError, match="blobs"):
        SceneRecipe(kinds=KINDS, blobs={"cubes": 1.0})


def test_repeated_models_keep_their_particles() -> None:
    particles, _, count = SceneRecipe(kinds=KINDS).draw(5, torch.Generator().manual_seed(0))
    repeated = repeat_models(particles, 3)
    assert torch.equal(torch.bincount(repeated.pattern), count.repeat_interleave(3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SceneRecipe(kinds={"singel": 1.0}), "choose from single"),
        (lambda: SceneRecipe(kinds=KINDS, contaminants={"dust": 1.0}), "droplet"),
        (lambda: ParticleRecipe(bodies={"icosaeder": 1.0}), "icosahedron"),
        (lambda: Brightness(by="light"), "fluence"),
    ],
)
def test_unknown_names_list_the_choices(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_fluence_and_photons_are_one_quantity() -> None:
    by_fluence = simulator(
        brightness=Brightness(by="fluence", median=1e22, sigma=0.0, minimum_photons=1.0, maximum_photons=1e9)
    )
    block = by_fluence(0, 0)
    torch.testing.assert_close(block[fields.FLUENCE], torch.full((24,), 1e22), rtol=1e-3, atol=0)
