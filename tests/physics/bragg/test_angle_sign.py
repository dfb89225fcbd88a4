import math
from pathlib import Path

import pytest
import torch

from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import read_pattern
from spi_lightning.physics.bragg.angle_sign import compare_angle_signs, facet_axes
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.fourier import fourier
from spi_lightning.simulate.particles.crystals import facet_gauge

GEOMETRY = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, 0.005)
BINS = (2, 2, 2)


def pattern(turn: float, size: int = 48) -> torch.Tensor:
    """Counts of a truncated octahedron with [111] along Q, turned about it, on the skewed grid of the scan."""
    index = torch.stack(torch.meshgrid(*[torch.arange(size) - size // 2] * 3, indexing="ij"), dim=-1).double()
    place = index.reshape(-1, 3) @ GEOMETRY.voxel_vectors((size,) * 3, BINS).T
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
    density = (facet_gauge(place[None], normals, far) <= 1).double().reshape(size, size, size)
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
