"""Reconstructed crystal in the laboratory frame: resampling to cubic voxels, phase, displacement and strain along Q."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.array import surface_level
from spi_lightning.summary import Summarised

from .geometry import BraggGeometry
from .strain import displacement, remove_offset, remove_ramp, strain, unwrap


def to_laboratory(
    density: Tensor, vectors: Tensor, voxel_size: float | None = None, size: tuple[int, int, int] | None = None
) -> tuple[Tensor, float]:
    """Resample densities from the skewed axes of a rocking scan to cubic voxels along laboratory z, y, x.

    Complex values are interpolated linearly, so remove a phase ramp first (strain.remove_ramp).

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
    position = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ torch.linalg.inv(vectors).T
    index = (position + shape // 2) * 2 / (shape - 1) - 1
    where = index.flip(-1)[None].to(density.device)
    values = torch.view_as_real(density) if density.is_complex() else density[..., None]
    channels = values.reshape(-1, *density.shape[-3:], values.shape[-1]).movedim(-1, 1)
    channels = channels.reshape(1, -1, *density.shape[-3:])
    sampled = F.grid_sample(channels, where.to(channels.dtype), mode="bilinear", align_corners=True)[0]
    sampled = sampled.reshape(-1, values.shape[-1], *size).movedim(1, -1).reshape(*density.shape[:-3], *size, -1)
    return (torch.view_as_complex(sampled.contiguous()) if density.is_complex() else sampled[..., 0]), edge


FRAME: Final = "laboratory, as CXI and NeXus: z downstream along the beam, y up, x outboard; arrays ordered z, y, x"
DETECTOR_FRAME: Final = (
    "detector: axes frame, row, column of the scan, which are not perpendicular; lengths along them are right, angles "
    "are not"
)
SIGN: Final = (
    "displacement and strain along Q = -phase / |Q| and its slope along Q: positive where atoms lie further along Q, "
    "and lattice planes further apart, than in the crystal's mean"
)
TWIN: Final = (
    "a pattern does not tell a crystal from its twin, which stands the other way round: r becomes -r and the "
    "displacement changes its sign, the strain keeps it"
)
_FIRM: Final = 0.5  # of the median amplitude, below which phases at the crystal's edge are noise
_INSIDE: Final = 0.2  # share of the largest amplitude above which a phase means something
_LARGEST: Final = 256  # edge of the result, voxel
_AROUND: Final = 2  # voxels left free around the crystal


@dataclass(frozen=True)
class ScanAxes:
    """Axes of the voxels of a density in the laboratory, and the geometry they follow from.

    Attributes:
        geometry: Complete geometry of the scan.
        vectors: (3, 3) float64 steps between voxels of the density, m, columns; see BraggGeometry.voxel_vectors.
        bin: Voxels of the scan binned along each axis.
    """

    geometry: BraggGeometry
    vectors: Tensor
    bin: tuple[int, ...] = (1, 1, 1)

    def description(self) -> dict[str, str]:
        """Geometry used, as text with units by name."""
        one, q = self.geometry, self.geometry.scattering_vector()
        lengths = " x ".join(f"{1e9 * float(length):.3g}" for length in self.vectors.norm(dim=0))
        return {
            "|Q|": f"{2e-10 * math.pi * float(q.norm()):.4f} 1/Å (lattice planes {1e10 / float(q.norm()):.4f} Å apart)",
            "Q / |Q| along z, y, x": ", ".join(f"{float(part):+.4f}" for part in q / q.norm()),
            "photon energy": f"{one.photon_energy:g} eV",
            "detector": f"distance {one.distance:g} m, pixel {1e6 * float(one.pixel_size or 0):g} µm",
            "detector arm": f"delta {one.delta_deg:g}°, gamma {one.gamma_deg:g}°",
            "Q taken at": f"{one.peak_position()}: 2θ = {one.two_theta_deg():.3f}°",
            "rocking": f"{one.step_deg:+g}° per frame about {one.rocking_axis}",
            "frame axes": f"rows count to {one.row_direction}, columns to {one.column_direction}, with the arm at 0",
            "voxels of the pattern": f"{' x '.join(str(step) for step in self.bin)} of the scan's",
            "voxels before, along frame, row, column": f"{lengths} nm",
        }


@dataclass(frozen=True, repr=False)
class LaboratoryCrystal(Summarised):
    """Maps (Z, Y, X) float32 of a crystal on cubic laboratory voxels; origin n // 2; 0 outside the support.

    Attributes:
        amplitude: |density| scaled to a maximum of 1; not cut by the support.
        phase: Unwrapped phase without ramp and offset, rad.
        displacement: Displacement along Q, m; see SIGN.
        strain: Strain along Q, dimensionless.
        support: Bool, True where phase, displacement and strain are defined.
        voxel_size: Edge of a voxel, m.
        Q: (3,) float64, Q = 2 pi q along z, y, x, rad/m.
        about: Description of the geometry, see ScanAxes.description.
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:crystal"
    amplitude: Tensor
    phase: Tensor
    displacement: Tensor
    strain: Tensor
    support: Tensor
    voxel_size: float
    Q: Tensor
    about: dict[str, str]

    def facts(self) -> Mapping[str, object]:
        """Size, geometry and spread of the maps."""
        numbers = self.numbers
        return {
            "voxels": f"{' x '.join(map(str, self.support.shape))} of {numbers['voxel_nm']:.3g} nm",
            "volume": f"{numbers['volume_nm3']:.3g} nm³",
            "displacement": f"{numbers['displacement_rms_pm']:.3g} pm along Q, root mean square",
            "strain": f"{numbers['strain_rms']:.2e} along Q, root mean square; 95 % below {numbers['strain_p95']:.2e}",
            **self.about,
        }

    @property
    def solid_amplitude(self) -> Tensor:
        """Amplitude (Z, Y, X), 0 beyond the neighbours of the support's voxels: what sizes are measured of."""
        near = F.max_pool3d(self.support[None].float(), 3, stride=1, padding=1)[0] > 0
        return torch.where(near, self.amplitude, 0.0)

    @property
    def surface_level(self) -> float:
        """Amplitude of the surface, half that of the solid, see physics.array.surface_level."""
        return surface_level(self.amplitude, self.support)

    @property
    def numbers(self) -> dict[str, float]:
        """Size, and spread of the maps over the voxels where they are firm; units in the names."""
        inside, core = self.support, firm(self)
        moved, strain = self.displacement[core].double(), self.strain[core].double()
        return {
            "voxel_nm": 1e9 * self.voxel_size,
            "volume_nm3": float((self.solid_amplitude > self.surface_level).sum()) * (1e9 * self.voxel_size) ** 3,
            "firm_share": float(core.sum()) / float(inside.sum()),
            "displacement_rms_pm": 1e12 * float(moved.square().mean().sqrt()),
            "strain_rms": float(strain.square().mean().sqrt()),
            "strain_p95": float(strain.abs().quantile(0.95)),
        }


def crystal_in_laboratory(
    density: Tensor, support: Tensor, axes: ScanAxes, voxel_size: float | None = None
) -> LaboratoryCrystal:
    """Transform a density to the laboratory frame: phase without ramp and offset, displacement and strain.

    Phase and strain are found on the axes of the scan, where the density was measured, and then interpolated linearly
    between voxels of the crystal alone: a complex density interpolated first loses amplitude where its phase is steep.
    With the ramp goes the mean strain, so both maps are relative to the crystal's mean lattice.

    Args:
        density: (z, y, x) complex in the detector frame, of this project's transform, origin at n // 2.
        support: (z, y, x) bool; the crystal is its largest connected part above a fifth of the largest amplitude, since
            between parts that do not touch phases are known only up to whole turns.
        axes: Axes of the voxels of the density.
        voxel_size: Edge of the result's voxels, m; the shortest of the scan's if None.

    Raises:
        UserError: The density is empty inside its support.
    """
    density = density.to(torch.complex128).cpu()
    top = density.abs().max().clamp_min(1e-300)
    inside = _crystal_of(support.cpu() & (density.abs() > _INSIDE * top))
    q = axes.geometry.scattering_vector()
    density = remove_offset(remove_ramp(density, inside)[0], inside)
    phase = unwrap(density, inside)
    weight = density.abs() * inside
    phase = torch.where(inside, phase - (phase * weight).sum() / weight.sum(), 0.0)
    slope = strain(density, inside, axes.vectors, q)
    known = torch.isfinite(slope)
    stack = torch.stack([density.abs() / top, inside.double(), phase, known.double(), torch.where(known, slope, 0.0)])
    edge, size = _cubes(inside, axes.vectors, voxel_size)
    whole, part, turns, sloped, strained = to_laboratory(stack, axes.vectors, edge, size)[0]
    within = part > 0.5
    phase = torch.where(within, turns / part.clamp_min(0.5), 0.0)
    made = torch.where(within & (sloped > 0), strained / sloped.clamp_min(1e-6), 0.0)
    about = axes.description() | {
        "voxel here": f"{1e9 * edge:.4g} nm, cubic, {' x '.join(str(n) for n in size)} of them"
    }
    moved = displacement(phase, q)
    maps = (whole.float(), phase.float(), moved.float(), made.float())
    return LaboratoryCrystal(*maps, within, edge, 2 * math.pi * q, about)


def firm(crystal: LaboratoryCrystal) -> Tensor:
    """Firm voxels (Z, Y, X) bool: at least half the median amplitude of the support, all six neighbours inside."""
    inside = crystal.support
    bright = crystal.amplitude >= _FIRM * crystal.amplitude[inside].median()
    core = inside & bright
    for axis in range(3):
        for step in (-1, 1):
            core &= torch.roll(inside, step, axis)
    return core if bool(core.any()) else inside


def axes_of(geometry: BraggGeometry, shape: tuple[int, ...], bin: tuple[int, ...]) -> ScanAxes | None:
    """Axes of the densities of a binned pattern (Z, Y, X); None if the geometry is incomplete."""
    if geometry.missing():
        return None
    return ScanAxes(geometry, geometry.voxel_vectors(shape, bin), bin)


def _crystal_of(inside: Tensor) -> Tensor:
    """The largest connected part of a support; UserError if it is empty."""
    labels, count = ndimage.label(inside.numpy())
    if count == 0:
        raise UserError(
            "laboratory frame: the density is empty inside its support, so there is no crystal to transform"
        )
    largest = 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return torch.from_numpy(labels == largest)


def _cubes(inside: Tensor, vectors: Tensor, edge: float | None) -> tuple[float, tuple[int, int, int]]:
    """Edge of cubic voxels, m, and the shape that holds the crystal around n // 2."""
    middle = torch.tensor(inside.shape) // 2
    reach = ((inside.nonzero() - middle).double() @ vectors.T).abs().amax(0)
    edge = edge or float(vectors.norm(dim=0).min())
    edge = max(edge, 2 * float(reach.max()) / (_LARGEST - 2 * _AROUND))
    sides = [2 * (math.ceil(float(each) / edge) + _AROUND) for each in reach]
    return edge, (sides[0], sides[1], sides[2])
