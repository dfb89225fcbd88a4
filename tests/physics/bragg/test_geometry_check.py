"""None"""

import math
from pathlib import Path

import pytest
import torch

from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import read_pattern
from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.geometry_check import (
    compare_angle_signs,
    contradictions,
    facet_axes,
    implausible_step,
    require_bragg_angle,
    require_plausible,
)
from spi_lightning.physics.fourier import fourier
from spi_lightning.simulate.particles.crystals import facet_gauge

FILE = {"photon_energy": 9000.0, "distance": 0.5, "pixel_size": 55e-6, "delta_deg": 32.0, "step_deg": 0.01}


@pytest.mark.parametrize(
    ("configured", "words"),
    [
        (
            {"photon_energy": 9.0},
            r"photon_energy=9 eV: 1000 to 200000 eV can be; was it in keV\? .* data\.geometry\.photon_energy=9000",
        ),
        ({"distance": 500}, r"was it in mm\? Then give data\.geometry\.distance=0\.5"),
        ({"pixel_size": 55}, r"was it in µm\? Then give data\.geometry\.pixel_size=5\.5e-05"),
        ({"pixel_size": 0.055}, r"was it in mm\? Then give data\.geometry\.pixel_size=5\.5e-05"),
        (
            {"step_deg": 30.0},
            r"step_deg=30 degree: .* thousandths of a degree\? Then give data\.geometry\.step_deg=0\.03",
        ),
        ({"delta_deg": 4000.0}, r"up to 180 degree can be; was it in arcsec\?|was it in mrad\?"),
        ({"delta_deg": 561.5}, r"was it in mrad\? Then give data\.geometry\.delta_deg=32\.17"),
        ({"delta_deg": 1e9}, r"up to 180 degree can be; give data\.geometry\.delta_deg= in degree"),
    ],
)
def test_numbers_of_another_unit_are_refused_with_a_remedy(configured: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        require_plausible(FILE, configured)


def test_a_file_can_be_wrong_too_and_the_user_right() -> None:
    with pytest.raises(UserError, match="the file says distance=500 m"):
        require_plausible(FILE | {"distance": 500.0}, {})
    require_plausible(FILE | {"distance": 500.0}, {"distance": 0.5})
    require_plausible(FILE, {})


def test_what_contradicts_the_file_is_noted() -> None:
    assert contradictions(FILE, {"photon_energy": 9001, "rocking_axis": "x-", "gamma_deg": 12.0}) == []
    (note,) = contradictions(FILE, {"step_deg": -0.01})
    assert "the file says step_deg=+0.01 degree, you say -0.01" in str(note) and "which way round" in str(note)
    (note,) = contradictions(FILE, {"distance": 0.6})
    assert "the file says distance=+0.5 m, you say +0.6: yours is taken" in str(note)


@pytest.mark.parametrize(("delta", "gamma"), [(0.5615, 0.2205), (0.0, 0.5), (0.0, 0.0), (-0.6, 0.3)])
def test_a_two_theta_below_a_degree_is_doubted(delta: float, gamma: float) -> None:
    known = BraggGeometry(photon_energy=9e3, delta_deg=delta, gamma_deg=gamma)
    with pytest.raises(UserError, match=r"two-theta of .* below 1 degree.*radians\?"):
        require_bragg_angle(known, {"delta_deg": delta})
    (note,) = require_bragg_angle(known, {"delta_deg": delta, "gamma_deg": gamma})
    assert str(note).startswith("WARNING")


@pytest.mark.parametrize(("delta", "gamma"), [(1.2, 0.0), (32.0, 0.2), (0.0, 12.0), (0.2, None)])
def test_an_arm_at_a_peak_is_not(delta: float, gamma: float | None) -> None:
    assert require_bragg_angle(BraggGeometry(photon_energy=9e3, delta_deg=delta, gamma_deg=gamma), {}) == []


@pytest.mark.parametrize(("factor", "doubted"), [(1.0, False), (4.0, False), (57.3, True), (1 / 17.45, True)])
def test_a_crystal_that_is_a_needle_or_a_leaf_asks_for_the_unit_of_the_rocking_angle(
    factor: float, doubted: bool
) -> None:
    vectors = torch.diag(torch.tensor([47e-9 * factor, 27e-9, 27e-9], dtype=torch.float64))
    found = implausible_step((6.0, 12.0, 16.0), vectors, 0.01 / factor)
    assert bool(found) is doubted and all("rocking angle in degree" in line.text for line in found)


GEOMETRY = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, 0.005)
BINS = (2, 2, 2)


def pattern(turn: float, size: int = 48) -> torch.Tensor:
    """Counts of a truncated octahedron with [111] along Q, turned about it, on the skewed grid of the scan."""
    index = torch.stack(torch.meshgrid(*[torch.arange(size) - size // 2] * 3, indexing="ij"), dim=-1).double()
    position = index.reshape(-1, 3) @ GEOMETRY.voxel_vectors((size,) * 3, BINS).T
    first = GEOMETRY.scattering_vector()
    first = first / first.norm()
    second = torch.linalg.cross(first, torch.tensor([1.0, 0, 0], dtype=torch.float64))
    second = second / second.norm()
    frame = torch.stack([first, second, -torch.linalg.cross(first, second)])  # z, y, x: the cross product is mirrored
    axes = facet_axes((1, 1, 1))
    cos, sin = math.cos(turn), math.sin(turn)
    about = torch.tensor([[1, 0, 0], [0, cos, sin], [0, -sin, cos]], dtype=torch.float64)
    normals = torch.cat([axes @ about @ frame, -axes @ about @ frame])
    generator = torch.Generator().manual_seed(0)
    far = 180e-9 * (1 + 0.1 * torch.randn(1, len(normals), generator=generator, dtype=torch.float64))
    density = (facet_gauge(position[None], normals, far) <= 1).double().reshape(size, size, size)
    intensity = fourier(density, 3).abs() ** 2
    return torch.poisson(1e6 * intensity / intensity.max(), generator=generator)


def test_axes_make_the_angles_of_the_lattice_with_the_reflection() -> None:
    cosines = facet_axes((1, 1, 1))[:, 0].abs().sort().values
    torch.testing.assert_close(cosines[-1], torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(cosines[:3], torch.full((3,), 1 / 3, dtype=torch.float64))


@pytest.mark.parametrize("turn", [0.0, 0.9])
def test_facets_tell_the_sign_of_the_angle(turn: float) -> None:
    photons = pattern(turn)
    right = compare_angle_signs(photons, GEOMETRY, BINS)
    assert right.stated > 1.1 * right.reversed
    assert right.note is None
    wrong = compare_angle_signs(photons, GEOMETRY.with_step(-1), BINS)
    assert (wrong.stated, wrong.reversed) == pytest.approx((right.reversed, right.stated))
    assert wrong.note is not None
    assert "other sign" in wrong.note.text


def test_the_real_scan_turns_as_its_beamline_says(spi_data: Path) -> None:
    path = spi_data / "bragg" / "aps34idc_S0054_128.h5"
    measured = read_pattern(path, preparation=Preparation(size=64, bin=2, reflection=(1, 1, 1)))
    found = compare_angle_signs(measured.pattern.photons, measured.geometry, measured.pattern.bin)
    assert found.stated > 2 * found.reversed
    assert not any("other sign" in str(note) for note in measured.notes)
    step = -measured.geometry.step_deg  # type: ignore[operator]
    preparation = Preparation(size=64, bin=2, reflection=(1, 1, 1))
    turned = read_pattern(path, preparation=preparation, geometry={"step_deg": step})
    assert any("other sign" in str(note) for note in turned.notes)
