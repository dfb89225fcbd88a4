"""Geometry of a rocking scan: positions of its voxels in reciprocal and in real space.

Directions are those of CXI and NeXus: z downstream along the beam, y up, x completing a right-handed frame (outboard at
34-ID-C); arrays are ordered z, y, x. xrayutilities and many synchrotron programs call the same directions x downstream,
y outboard, z up.
"""

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_COLUMN, BEAM_ROW, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.notes import Note
from spi_lightning.physics.constants import wavelength_from_energy

_AXES: Final = {"z": 0, "y": 1, "x": 2}


def direction(name: str) -> Tensor:
    """Unit vector (3,) z, y, x of x+, x-, y+, ..."""
    if len(name) != 2 or name[0] not in _AXES or name[1] not in "+-":
        raise UserError(f"data.geometry: {name!r} is not a direction; write x+, x-, y+, y-, z+ or z-")
    vector = torch.zeros(3, dtype=torch.float64)
    vector[_AXES[name[0]]] = 1.0 if name[1] == "+" else -1.0
    return vector


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of vectors (..., 3) ordered z, y, x."""
    product: Tensor = torch.linalg.cross(a.flip(0), b.flip(0)).flip(0)
    return product


def rotation(axis: str, angle_deg: float) -> Tensor:
    """Right-handed rotation (3, 3) about a direction, acting on vectors ordered z, y, x."""
    unit, angle = direction(axis), math.radians(angle_deg)
    eye = torch.eye(3, dtype=torch.float64)
    turned = torch.stack([cross(unit, column) for column in eye], dim=1)
    return math.cos(angle) * eye + math.sin(angle) * turned + (1 - math.cos(angle)) * torch.outer(unit, unit)


_UNITS: Final = {
    PHOTON_ENERGY: "eV",
    DISTANCE: "m",
    PIXEL_SIZE: "m",
    "pixel_size_rows": "m",
    "delta_deg": "degree",
    "gamma_deg": "degree",
    "step_deg": "degree",
    BEAM_ROW: "pixel",
    BEAM_COLUMN: "pixel",
}
_NEEDS: Final = {
    "|Q|, displacement and strain": ("photon_energy", "delta_deg", "gamma_deg"),
    "laboratory frame and sizes in nm": (
        "photon_energy",
        "distance",
        "pixel_size",
        "delta_deg",
        "gamma_deg",
        "step_deg",
    ),
}


@dataclass(frozen=True)
class BraggGeometry:
    """Geometry of a detector on two arms and one rocking axis; None: not known.

    Attributes:
        photon_energy: Photon energy of the beam, eV.
        distance, pixel_size: Sample to detector, pixel edge; m.
        pixel_size_rows: Pixel edge along which rows count, where it is another one; m.
        delta_deg, gamma_deg: Detector arm: turned by gamma about -x (up), then by delta about +y (outboard); degree.
        step_deg: Change of the rocking angle from one frame to the next; degree.
        rocking_axis: Axis of a positive rotation of the sample: y+ for theta at 34-ID-C, x- for an incidence angle.
        row_direction, column_direction: Where rows and columns of the stored frames count to, with both arms at 0.
            y- and x+ for frames of 34-ID-C as stored in TIFF files.
        beam_row, beam_column: Pixel that meets the direct beam with both arms at 0, and so lies where the arm points;
            counted in the detector's full frames, whole numbers in the middle of pixels.
        off_axis: Rows and columns from there to the peak, at which Q is then taken; found by ``with_peak``. None: not
            known, and Q is taken where the arm points.
    """

    photon_energy: float | None = None
    distance: float | None = None
    pixel_size: float | None = None
    delta_deg: float | None = None
    gamma_deg: float | None = None
    step_deg: float | None = None
    rocking_axis: str = "y+"
    row_direction: str = "y-"
    column_direction: str = "x+"
    beam_row: float | None = None
    beam_column: float | None = None
    off_axis: tuple[float, float] | None = None
    pixel_size_rows: float | None = None

    def __post_init__(self) -> None:
        for name in _UNITS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Real) or not math.isfinite(value)):
                raise UserError(f"data.geometry.{name}={value}: give a number, or leave it out")
        for name in ("photon_energy", "distance", "pixel_size", "pixel_size_rows"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"data.geometry.{name}={value}: must be positive")
        if self.step_deg == 0:
            raise UserError("data.geometry.step_deg=0: the frames of a rocking scan differ in angle")
        directions = [direction(getattr(self, name)) for name in ("row_direction", "column_direction")]
        direction(self.rocking_axis)
        if abs(float(directions[0] @ directions[1])) > 0.5:
            raise UserError("data.geometry.row_direction and column_direction lie along the same axis")
        if (self.beam_row is None) != (self.beam_column is None):
            raise UserError("data.geometry.beam_row and beam_column are one position: give both or neither")

    def missing(self, output: str = "laboratory frame and sizes in nm") -> list[str]:
        """Names of the quantities that an output needs and that are not known."""
        return [name for name in _NEEDS[output] if getattr(self, name) is None]

    def notes(self) -> list[Note]:
        """Note that names the outputs left out and why, or where Q is taken; phasing itself needs no geometry."""
        lacking = [f"data.geometry.{name}=<{_UNITS[name]}>" for name in self.missing()]
        if lacking:
            return [
                Note.of(
                    "left out, as the geometry is incomplete: laboratory frame, displacement, strain and sizes in "
                    "nm; give " + " ".join(lacking)
                )
            ]
        if self.off_axis is None:
            return [
                Note.of(
                    "Q is taken where the detector arm points, as it is not known at which pixel; a peak elsewhere "
                    f"turns it by {math.degrees(100 * self._pixel_angles()[1]):.2f}° for every 100 pixels: give "
                    "data.geometry.beam_row=<pixel> data.geometry.beam_column=<pixel>"
                )
            ]
        arm = replace(self, off_axis=None).two_theta_deg()
        return [
            Note.of(f"Q is taken at {self.peak_position()}: 2θ = {self.two_theta_deg():.3f}°, along the arm {arm:.3f}°")
        ]

    def peak_position(self) -> str:
        """Text of the detector position at which Q is taken."""
        if self.off_axis is None or self.beam_row is None or self.beam_column is None:
            return "where the detector arm points (the position of the peak on the detector is not known)"
        rows, columns = self.off_axis
        return (
            f"the peak, row {self.beam_row + rows:g} and column {self.beam_column + columns:g} of the detector, "
            f"{rows:+g} rows and {columns:+g} columns from where the arm points"
        )

    def with_peak(self, row: float, column: float) -> "BraggGeometry":
        """This geometry with Q at a pixel of the full frames; unchanged if the direction of that pixel is not known."""
        if self.beam_row is None or self.beam_column is None or self.distance is None or self.pixel_size is None:
            return self
        return replace(self, off_axis=(row - self.beam_row, column - self.beam_column))

    def scattering_vector(self) -> Tensor:
        """Scattering vector q (3,) float64 of the peak, or of where the arm points; ordered z, y, x; 1/m; Q = 2 pi q.

        q = (n - z) / wavelength, n from the sample to the peak's pixel on the flat detector.

        Raises:
            UserError: A quantity that it needs is not known.
        """
        self._require("|Q|, displacement and strain")
        ray = self._ray()
        q: Tensor = (ray / ray.norm() - direction("z+")) / self._wavelength()
        return q

    def two_theta_deg(self) -> float:
        """Angle between incident and diffracted beam, degree."""
        q = float(self.scattering_vector().norm())
        return 2 * math.degrees(math.asin(q * self._wavelength() / 2))

    def reciprocal_steps(self, bin: tuple[int, ...] = (1, 1, 1)) -> Tensor:
        """Change of q, z y x, 1/m, from one voxel to the next of axis frame, row, column: columns of (3, 3) float64.

        Rocking the sample by a small angle turns its q past the detector, which then sees q - angle (axis x q) of the
        crystal as it stands at the peak. A step on the detector turns n by what of it is perpendicular to n. The Ewald
        sphere is flat over the scan: second order in size over distance.
        """
        self._require("laboratory frame and sizes in nm")
        assert self.step_deg is not None
        q, ray, arm = self.scattering_vector(), self._ray(), self._arm()
        frame = -math.radians(self.step_deg) * cross(direction(self.rocking_axis), q)
        n = ray / ray.norm()
        across = (torch.eye(3, dtype=torch.float64) - torch.outer(n, n)) / (ray.norm() * self._wavelength())
        names = (self.row_direction, self.column_direction)
        rows, columns = (
            angle * (across @ arm @ direction(name)) for angle, name in zip(self._pixel_angles(), names, strict=True)
        )
        return torch.stack([frame * bin[0], rows * bin[1], columns * bin[2]], dim=1)

    def voxel_vectors(self, shape: tuple[int, ...], bin: tuple[int, ...] = (1, 1, 1)) -> Tensor:
        """Steps in the laboratory, z y x, m, between density voxels along each axis: columns of (3, 3) float64.

        q.r must be the sum of m_i n_i / N_i for pattern voxel m and density voxel n, so the matrix is the inverse
        transpose of the reciprocal steps over N.
        """
        steps = self.reciprocal_steps(bin)
        if torch.linalg.cond(steps) > 1e6:
            raise UserError(
                "data.geometry: rocking axis and scattering vector are parallel; the scan measured no third axis"
            )
        vectors: Tensor = torch.linalg.inv(steps).T / torch.tensor(shape, dtype=torch.float64)
        return vectors

    def with_step(self, factor: float) -> "BraggGeometry":
        """This geometry with the rocking step times a factor; -1 reverses the sense of the angle."""
        return self if self.step_deg is None else replace(self, step_deg=self.step_deg * factor)

    def _arm(self) -> Tensor:
        """Rotation (3, 3) of the detector arm."""
        assert self.delta_deg is not None and self.gamma_deg is not None
        return rotation("y+", self.delta_deg) @ rotation("x-", self.gamma_deg)

    def _ray(self) -> Tensor:
        """From the sample to the peak's pixel, or along the arm, (3,) in units of the distance."""
        ray = direction("z+")
        if self.off_axis is not None:
            names = (self.row_direction, self.column_direction)
            for pixels, angle, name in zip(self.off_axis, self._pixel_angles(), names, strict=True):
                ray = ray + pixels * angle * direction(name)
        return self._arm() @ ray

    def _pixel_angles(self) -> tuple[float, float]:
        """Pixel edge over distance, along rows' and columns' counting."""
        assert self.pixel_size is not None and self.distance is not None
        return (self.pixel_size_rows or self.pixel_size) / self.distance, self.pixel_size / self.distance

    def _wavelength(self) -> float:
        assert self.photon_energy is not None
        return wavelength_from_energy(self.photon_energy)

    def _require(self, output: str) -> None:
        missing = self.missing(output)
        if missing:
            raise UserError(
                f"{output} need data.geometry.{', data.geometry.'.join(missing)}; give them or leave this output out"
            )
