import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.crystals import CrystalRecipe, facet_gauge, family_normals
from spi_lightning.simulate.particles.superellipsoid import grid

PLAIN = {"spread": 0.0, "stretch": (1.0, 1.0), "cut": 0.0, "size": (0.8, 0.8)}


def turns(count: int) -> torch.Tensor:
    return rotation_matrices(random_quaternions(count, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(("family", "planes"), [("111", 8), ("100", 6), ("110", 12), ("113", 24)])
def test_families_have_their_planes(family: str, planes: int) -> None:
    normals = family_normals(family)
    assert normals.shape == (planes, 3)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(planes))
    torch.testing.assert_close(normals.sum(0), torch.zeros(3))


@pytest.mark.parametrize(("family", "volume", "distance"), [("100", 8.0, 10.5), ("111", 4 * 3**0.5, 18.5 / 3**0.5)])
def test_cube_and_octahedron_have_their_volumes(family: str, volume: float, distance: float) -> None:
    normals = family_normals(family)
    here = grid(48).reshape(1, -1, 3)
    inside = facet_gauge(here, normals, torch.full((1, len(normals)), distance)) <= 1
    assert inside.sum().item() == pytest.approx(volume * distance**3, rel=0.02)


def test_crystals_fill_their_box_and_are_centred() -> None:
    amplitude = CrystalRecipe(size=(0.8, 0.8))(32, turns(24), torch.Generator().manual_seed(0))
    faces = [amplitude.select(axis, side) for axis in (1, 2, 3) for side in (0, 31)]
    assert max(face.max() for face in faces) == 0
    position = grid(32)
    mass = amplitude.sum((1, 2, 3))
    centre = (amplitude[..., None] * position).sum((1, 2, 3)) / mass[:, None]
    assert centre.abs().max() < 0.3
    widest = torch.stack(
        [(amplitude > 0.5).any(dim=2).any(dim=2).sum(1), (amplitude > 0.5).any(dim=1).any(dim=2).sum(1)]
    )
    assert widest.max() <= 2 * 0.8 * 16 + 2
    assert amplitude.flatten(1).amax(1).min() == 1


def test_facets_are_flat_and_at_the_angles_of_the_lattice() -> None:
    """The surface of an octahedron turned by R lies in planes whose normals are R's images of <111>."""
    turn = turns(1)
    amplitude = CrystalRecipe(families={"111": (1.0, 1.0)}, edge=0.0, **PLAIN)(48, turn, torch.Generator())[0]  # type: ignore[arg-type]
    heights = grid(48)[amplitude > 0.5] @ (turn[0] @ family_normals("111").T)
    assert (heights.amax(0) - heights.amax()).abs().max() < 1.0


def test_the_seed_decides() -> None:
    first, second = (CrystalRecipe()(12, turns(3), torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "setting",
    [{"families": {"123": (1.0, 1.0)}}, {"families": {}}, {"size": (0.5, 1.5)}, {"families": {"111": (0, 1)}}],
)
def test_impossible_settings_are_named(setting: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"simulate\.body"):
        CrystalRecipe(**setting)  # type: ignore[arg-type]
