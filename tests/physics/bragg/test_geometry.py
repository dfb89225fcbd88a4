import math
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry, rotation
from spi_lightning.physics.bragg.laboratory import to_laboratory
from spi_lightning.physics.fourier import inverse_fourier

S0054 = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, 0.005)
BOX = torch.tensor([120e-9, 80e-9, 100e-9], dtype=torch.float64)  # edges along laboratory z, y, x
SHAPE, BINS = (48, 48, 48), (3, 2, 2)


def measured_box(geometry: BraggGeometry) -> torch.Tensor:
    """Density, in the frame of the detector, of a box whose transform was taken where the scan measured it."""
    index = torch.stack(torch.meshgrid(*(torch.arange(n) - n // 2 for n in SHAPE), indexing="ij"), dim=-1)
    q = index.double() @ geometry.reciprocal_steps(BINS).T
    return inverse_fourier(torch.sinc(q * BOX).prod(-1) + 0j, 3).abs()


def overlap(density: torch.Tensor, edge: float) -> float:
    """Intersection over union of the density, at half its level, with the box."""
    axes = [(torch.arange(n) - n // 2) * edge for n in density.shape]
    inside = (torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).abs() <= BOX / 2).all(-1)
    found = density > 0.5 * density[density > 0.5 * density.max()].median()
    return float((inside & found).sum() / (inside | found).sum())


def test_a_box_measured_in_the_skewed_frame_gets_its_shape_back() -> None:
    density = measured_box(S0054)
    laboratory, edge = to_laboratory(density, S0054.voxel_vectors(SHAPE, BINS), voxel_size=4e-9, size=(64, 64, 64))
    assert edge == 4e-9
    right = overlap(laboratory, edge)
    assert right > 0.9
    turned = S0054.with_step(-1)
    wrong = to_laboratory(density, turned.voxel_vectors(SHAPE, BINS), 4e-9, (64, 64, 64))[0]
    assert overlap(wrong, edge) < right - 0.1  # an angle of the wrong sign shows in the shape


def test_pattern_and_density_axes_are_dual() -> None:
    steps, vectors = S0054.reciprocal_steps(BINS), S0054.voxel_vectors(SHAPE, BINS)
    torch.testing.assert_close(steps.T @ vectors, torch.eye(3, dtype=torch.float64) / 48)


def test_the_real_scan_is_gold_111(spi_data: Path) -> None:
    with h5py.File(spi_data / "bragg" / "aps34idc_S0054_128.h5") as file:
        read = {name: float(file.attrs[name]) for name in ("delta_deg", "gamma_deg", "energy_keV")}
    geometry = BraggGeometry(1e3 * read["energy_keV"], delta_deg=read["delta_deg"], gamma_deg=read["gamma_deg"])
    assert geometry.two_theta_deg() == pytest.approx(34.32, abs=0.01)
    big_q = 2 * math.pi * float(geometry.scattering_vector().norm())
    assert big_q == pytest.approx(2 * math.pi * math.sqrt(3) / 4.0782e-10, rel=0.01)


def test_the_arm_points_where_the_angles_say() -> None:
    up = BraggGeometry(9000.0, delta_deg=0.0, gamma_deg=30.0).scattering_vector()
    outboard = BraggGeometry(9000.0, delta_deg=30.0, gamma_deg=0.0).scattering_vector()
    assert up[1] > 0
    assert outboard[2] > 0
    assert abs(up[2]) < 1
    assert abs(outboard[1]) < 1
    assert up[0] < 0


def test_rocking_moves_q_as_a_rotation_does() -> None:
    geometry = BraggGeometry(9000.0, 0.5, 55e-6, 30.0, 0.0, 0.01)
    frame = geometry.reciprocal_steps()[:, 0]
    q = geometry.scattering_vector()
    assert abs(float(frame @ q)) < 1e-9 * float(q.norm() ** 2)
    assert float(frame.norm() / q.norm()) == pytest.approx(math.radians(0.01))


@pytest.mark.parametrize("pixels", [-300.0, 0.0, 300.0])
def test_a_peak_off_the_arms_axis_changes_two_theta_by_its_angle(pixels: float) -> None:
    angle = math.degrees(math.atan(pixels * 55e-6 / 0.5))
    straight = BraggGeometry(9000.0, 0.5, 55e-6, 0.0, 0.0, 0.01, beam_row=250.0, beam_column=260.0)
    outboard = replace(straight, delta_deg=30.0).with_peak(250.0, 260.0 + pixels)
    assert outboard.two_theta_deg() == pytest.approx(30.0 + angle, abs=1e-9)  # columns count to x+, as delta turns
    above = replace(straight, gamma_deg=30.0).with_peak(250.0 - pixels, 260.0)
    assert above.two_theta_deg() == pytest.approx(30.0 + angle, abs=1e-9)  # rows count to y-, gamma turns to y+
    assert above.off_axis == (-pixels, 0.0)


def test_a_peak_on_the_arms_axis_changes_nothing() -> None:
    placed = replace(S0054, beam_row=130.0, beam_column=120.0).with_peak(130.0, 120.0)
    torch.testing.assert_close(placed.scattering_vector(), S0054.scattering_vector(), rtol=1e-14, atol=0)
    torch.testing.assert_close(placed.voxel_vectors(SHAPE, BINS), S0054.voxel_vectors(SHAPE, BINS))
    assert S0054.with_peak(3.0, 4.0) is S0054  # where the arm points is not known
    assert "beam_row=<pixel>" in str(S0054.notes()[0]) and "0.63°" in str(S0054.notes()[0])
    assert "2θ = 34.316°, along the arm 34.316°" in str(placed.notes()[0])


def test_steps_at_the_peak_are_those_of_the_turned_ewald_sphere() -> None:
    geometry = replace(S0054, beam_row=100.0, beam_column=100.0).with_peak(-200.0, 350.0)

    def q(frame: float, row: float, column: float) -> torch.Tensor:
        here = replace(geometry, off_axis=(-300.0 + row, 250.0 + column)).scattering_vector()
        return rotation("y+", -0.005 * frame) @ here  # the crystal turned back

    size = 0.5
    halves = size * torch.eye(3, dtype=torch.float64)
    found = torch.stack([(q(*step.tolist()) - q(*(-step).tolist())) / (2 * size) for step in halves], dim=1)
    torch.testing.assert_close(geometry.reciprocal_steps(), found, rtol=1e-6, atol=1e-6 * float(found.norm()))


def test_complex_densities_keep_their_phase_and_batch() -> None:
    density = torch.polar(torch.ones(2, 6, 6, 6), 0.5 * torch.ones(2, 6, 6, 6)).to(torch.complex64)
    laboratory, _ = to_laboratory(density, 1e-9 * torch.eye(3, dtype=torch.float64), 1e-9, (6, 6, 6))
    torch.testing.assert_close(laboratory, density)


def test_an_incomplete_geometry_says_what_it_cannot_give() -> None:
    partial = BraggGeometry(9000.0, delta_deg=30.0, gamma_deg=0.0)
    assert partial.missing("|Q|, displacement and strain") == []
    (note,) = partial.notes()
    assert "left out" in str(note) and "strain" in str(note)
    assert str(note).endswith("data.geometry.distance=<m> data.geometry.pixel_size=<m> data.geometry.step_deg=<degree>")
    with pytest.raises(UserError, match=r"geometry\.distance"):
        partial.voxel_vectors(SHAPE)
    assert len(BraggGeometry().notes()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"photon_energy": -1.0}, "positive"),
        ({"delta_deg": float("nan")}, "number"),
        ({"step_deg": 0.0}, "step_deg"),
        ({"rocking_axis": "up"}, "direction"),
        ({"row_direction": "x-"}, "same axis"),
        ({"beam_row": 128.0}, "both or neither"),
        ({"beam_row": 128.0, "beam_column": float("inf")}, "beam_column=inf"),
    ],
)
def test_impossible_geometries_are_named(options: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        BraggGeometry(**options)  # type: ignore[arg-type]


def test_rocking_about_q_measures_no_third_axis() -> None:
    with pytest.raises(UserError, match="parallel"):
        BraggGeometry(9000.0, 0.5, 55e-6, 0.0, 0.0, 0.01).voxel_vectors(SHAPE)
