"""Where the voxels of a rocking scan lie, in reciprocal and in real space, and how to see a crystal in the laboratory.

Directions are those of CXI and NeXus: z downstream along the beam, y up, x completing a right-handed frame (outboard at
34-ID-C); arrays are ordered z, y, x. xrayutilities and many synchrotron programs call the same directions x downstream,
y outboard, z up: ``to_frame`` turns arrays from one convention to the other.
"""

import math
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.fields import UserError

from .constants import wavelength_from_energy

FRAMES: Final = ("cxi", "xrayutilities")
_AXES: Final = {"z": 0, "y": 1, "x": 2}
_UNITS: Final = {
    "energy_ev": "eV",
    "distance": "m",
    "pixel_size": "m",
    "delta_deg": "degree",
    "gamma_deg": "degree",
    "step_deg": "degree",
}
_NEEDS: Final = {
    "|Q|, displacement and strain": ("energy_ev", "delta_deg", "gamma_deg"),
    "laboratory frame and sizes in nm": (
        "energy_ev",
        "distance",
        "pixel_size",
        "delta_deg",
        "gamma_deg",
        "step_deg",
    ),
}


@dataclass(frozen=True)
class BraggGeometry:
    """A detector on two arms and one rocking axis; what is None is not known.

    Attributes:
        energy_ev: Photon energy, eV.
        distance, pixel_size: Sample to detector, pixel edge; m.
        delta_deg, gamma_deg: Detector arm: turned by gamma about -x (up), then by delta about +y (outboard); degree.
        step_deg: Change of the rocking angle from one frame to the next; degree.
        rocking_axis: Axis of a positive rotation of the sample: y+ for theta at 34-ID-C, x- for an incidence angle.
        row_direction, column_direction: Where rows and columns of the stored frames count to, with both arms at 0.
            y- and x+ for frames of 34-ID-C as stored in TIFF files.
    """

    energy_ev: float | None = None
    distance: float | None = None
    pixel_size: float | None = None
    delta_deg: float | None = None
    gamma_deg: float | None = None
    step_deg: float | None = None
    rocking_axis: str = "y+"
    row_direction: str = "y-"
    column_direction: str = "x+"

    def __post_init__(self) -> None:
        for entry in fields(self)[:6]:
            value = getattr(self, entry.name)
            if value is not None and (not isinstance(value, Real) or not math.isfinite(value)):
                raise UserError(f"data.geometry.{entry.name}={value}: give a number, or leave it out")
        for name in ("energy_ev", "distance", "pixel_size"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"data.geometry.{name}={value}: must be positive")
        if self.step_deg == 0:
            raise UserError("data.geometry.step_deg=0: the frames of a rocking scan differ in angle")
        directions = [_direction(getattr(self, name)) for name in ("row_direction", "column_direction")]
        _direction(self.rocking_axis)
        if abs(float(directions[0] @ directions[1])) > 0.5:
            raise UserError("data.geometry.row_direction and column_direction lie along the same axis")

    def missing(self, output: str = "laboratory frame and sizes in nm") -> list[str]:
        """Names of the quantities that an output needs and that are not known."""
        return [name for name in _NEEDS[output] if getattr(self, name) is None]

    def notes(self) -> list[str]:
        """One line that names what cannot be had and why, if anything; phasing itself needs no geometry."""
        lacking = [f"data.geometry.{name}=<{_UNITS[name]}>" for name in self.missing()]
        if not lacking:
            return []
        return [
            "left out, as the geometry is incomplete: laboratory frame, displacement, strain and sizes in nm; give "
            + " ".join(lacking)
        ]

    def scattering_vector(self) -> Tensor:
        """Where the arm points, as scattering vector q (3,) float64 ordered z, y, x; 1/m; Q = 2 pi q.

        Raises:
            UserError: Quantities that are not known.
        """
        self._require("|Q|, displacement and strain")
        beam = _direction("z+")
        return (self._arm() @ beam - beam) / self._wavelength()

    def two_theta_deg(self) -> float:
        """Angle between incident and diffracted beam, degree."""
        q = float(self.scattering_vector().norm())
        return 2 * math.degrees(math.asin(q * self._wavelength() / 2))

    def reciprocal_steps(self, bins: tuple[int, ...] = (1, 1, 1)) -> Tensor:
        """Change of q, z y x, 1/m, from one voxel to the next of axis frame, row, column: columns of (3, 3) float64.

        Rocking the sample by a small angle turns its q past the detector, which then sees q - angle (axis x q) of the
        crystal as it stands at the peak. The Ewald sphere is flat over the scan: second order in size over distance.
        """
        self._require("laboratory frame and sizes in nm")
        assert self.step_deg is not None and self.pixel_size is not None and self.distance is not None
        q, arm = self.scattering_vector(), self._arm()
        frame = -math.radians(self.step_deg) * _cross(_direction(self.rocking_axis), q)
        pixel = self.pixel_size / (self.distance * self._wavelength())
        rows, columns = (pixel * (arm @ _direction(name)) for name in (self.row_direction, self.column_direction))
        return torch.stack([frame * bins[0], rows * bins[1], columns * bins[2]], dim=1)

    def voxel_vectors(self, shape: tuple[int, ...], bins: tuple[int, ...] = (1, 1, 1)) -> Tensor:
        """Steps in the laboratory, z y x, m, between density voxels along each axis: columns of (3, 3) float64.

        q.r must be the sum of m_i n_i / N_i for pattern voxel m and density voxel n, so the matrix is the inverse
        transpose of the reciprocal steps over N.
        """
        steps = self.reciprocal_steps(bins)
        if torch.linalg.cond(steps) > 1e6:
            raise UserError(
                "data.geometry: rocking axis and scattering vector are parallel; the scan measured no third axis"
            )
        vectors: Tensor = torch.linalg.inv(steps).T / torch.tensor(shape, dtype=torch.float64)
        return vectors

    def with_step(self, factor: float) -> "BraggGeometry":
        """The same with another rocking step, -1 for the other sense of the angle."""
        return self if self.step_deg is None else replace(self, step_deg=self.step_deg * factor)

    def _arm(self) -> Tensor:
        """Rotation (3, 3) of the detector arm."""
        assert self.delta_deg is not None and self.gamma_deg is not None
        return _rotation("y+", self.delta_deg) @ _rotation("x-", self.gamma_deg)

    def _wavelength(self) -> float:
        assert self.energy_ev is not None
        return wavelength_from_energy(self.energy_ev)

    def _require(self, output: str) -> None:
        missing = self.missing(output)
        if missing:
            raise UserError(
                f"{output} need data.geometry.{', data.geometry.'.join(missing)}; give them or leave this output out"
            )


def to_laboratory(
    density: Tensor, vectors: Tensor, voxel_size: float | None = None, size: tuple[int, int, int] | None = None
) -> tuple[Tensor, float]:
    """Resample densities from the skewed axes of a rocking scan to cubic voxels along laboratory z, y, x.

    Complex values are interpolated linearly, so remove a phase ramp first (phase_unwrap.remove_ramp).

    Args:
        density: (..., z, y, x) in the frame of the detector, origin at n // 2, real or complex.
        vectors: (3, 3) voxel steps, m, see BraggGeometry.voxel_vectors.
        voxel_size: Edge of the result's voxels, m; that of equal volume if None.
        size: Shape of the result; large enough for all of the array's axes through its centre if None.

    Returns:
        (..., Z, Y, X) of the same dtype, 0 outside the array, and the voxel size, m.
    """
    edge = voxel_size or float(torch.linalg.det(vectors).abs() ** (1 / 3))
    shape = torch.tensor(density.shape[-3:], dtype=torch.float64)
    if size is None:
        reach = (vectors.abs() * shape).amax(1) / edge
        size = (int(reach[0]) // 2 * 2 + 2, int(reach[1]) // 2 * 2 + 2, int(reach[2]) // 2 * 2 + 2)
    axes = [(torch.arange(n, dtype=torch.float64) - n // 2) * edge for n in size]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ torch.linalg.inv(vectors).T
    index = (place + shape // 2) * 2 / (shape - 1) - 1
    where = index.flip(-1)[None].to(density.device)
    values = torch.view_as_real(density) if density.is_complex() else density[..., None]
    channels = values.reshape(-1, *density.shape[-3:], values.shape[-1]).movedim(-1, 1)
    channels = channels.reshape(1, -1, *density.shape[-3:])
    sampled = F.grid_sample(channels, where.to(channels.dtype), mode="bilinear", align_corners=True)[0]
    sampled = sampled.reshape(-1, values.shape[-1], *size).movedim(1, -1).reshape(*density.shape[:-3], *size, -1)
    return (torch.view_as_complex(sampled.contiguous()) if density.is_complex() else sampled[..., 0]), edge


def to_frame(volume: Tensor, frame: str) -> Tensor:
    """Name the axes of a laboratory volume (..., z, y, x) of CXI by another convention; see FRAMES.

    xrayutilities' x is CXI's z (downstream), its y is x (outboard), its z is y (up); the result is ordered z, y, x too.
    """
    if frame not in FRAMES:
        raise UserError(f"frame={frame!r} is unknown; choose {' or '.join(FRAMES)}")
    return volume if frame == "cxi" else volume.movedim(-3, -1)


def _direction(name: str) -> Tensor:
    """Unit vector (3,) z, y, x of x+, x-, y+, ..."""
    if len(name) != 2 or name[0] not in _AXES or name[1] not in "+-":
        raise UserError(f"data.geometry: {name!r} is no direction; write x+, x-, y+, y-, z+ or z-")
    vector = torch.zeros(3, dtype=torch.float64)
    vector[_AXES[name[0]]] = 1.0 if name[1] == "+" else -1.0
    return vector


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of vectors ordered z, y, x."""
    product: Tensor = torch.linalg.cross(a.flip(0), b.flip(0)).flip(0)
    return product


def _rotation(axis: str, angle_deg: float) -> Tensor:
    """Right-handed rotation (3, 3) about a direction, acting on vectors ordered z, y, x."""
    unit, angle = _direction(axis), math.radians(angle_deg)
    eye = torch.eye(3, dtype=torch.float64)
    turned = torch.stack([_cross(unit, column) for column in eye], dim=1)
    return math.cos(angle) * eye + math.sin(angle) * turned + (1 - math.cos(angle)) * torch.outer(unit, unit)
