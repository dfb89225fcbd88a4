"""Scale of the frames of a file: beam centre and speckle width, robust over its hits, and the cells cut from them."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from .sphere_fit import decay_quality, fit_sphere

CELLS: Final = 64
"""Edge of a canonical pattern, cells; the beam is at (CELLS - 1) / 2."""
SPECKLE_CELLS: Final = 6.0
"""Width of a speckle of the usual particle in a canonical pattern, cells."""
NARROWEST: Final = 2.0
"""Width, pixels, below which the speckles of a particle are not sampled."""
WHOLE: Final = 0.1
"""Largest relative departure from SPECKLE_CELLS of the speckles of cells of whole pixels."""
RINGS_RESOLVED: Final = 2.2
"""Width, pixels, from which rings are told from a smooth decay, which a particle of many sizes has too."""
NARROWEST_TRIED: Final = 1.4
"""Least width, pixels, that a fit can tell, where all hits are of one size."""
_SIZES: Final = 400  # widths that are tried
_FIRST_MINIMUM: Final = 1.43  # of the form factor of a sphere, in speckle widths
_LEAST_RINGS: Final = 3  # frames with rings, without which all frames count
_TRUSTED: Final = 0.7  # quality of the fit of a sphere from which a frame counts
_BANDWIDTH: Final = 0.08  # of the density of widths over frames, in the logarithm
_NEAR: Final = (
    0.25  # of the logarithm of the width, from the most frequent one, within which frames have the usual size
)
_APART: Final = 0.3  # least distance in the logarithm of a second size
_SECOND: Final = 0.25  # least share of frames of a second size
_DEVIATION: Final = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class FrameScale:
    """Scale at which the frames of a file become canonical patterns.

    Attributes:
        beam_centre: Row and column where the beam meets the detector, pixel.
        speckle_width: Wavelength times distance over diameter of the usual particle and pixel edge, pixel.
        centre_from, width_from: How each was found: ``stated``, ``symmetry``, ``middle``; ``stated``, ``sphere fit``,
            ``network`` (see tasks.informative_width), ``unknown``.
        centre_spread: Robust standard deviation of the centre over hits, pixel; None where it was not measured.
        width_spread: Robust standard deviation of the width over hits, relative; None where it was not measured.
        hits: Number of hits that were used.
        frames: Number of frames in which they were looked for.
        halo: Photons near the beam, above a flat background, up to which a frame is blank, see halo.photons_near; 0:
            the file's blank frames have no halo around the beam.
    """

    beam_centre: tuple[float, float]
    speckle_width: float
    centre_from: str = "stated"
    width_from: str = "stated"
    centre_spread: float | None = None
    width_spread: float | None = None
    hits: int = 0
    frames: int = 0
    halo: float = 0.0

    @property
    def bin(self) -> int | None:
        """Edge of a cell in whole pixels, where that brings the speckle within a tenth of 6 cells; else None."""
        exact = self.speckle_width / SPECKLE_CELLS
        near = [bin for bin in {max(1, int(exact)), int(exact) + 1} if abs(exact / bin - 1) <= WHOLE]
        return min(near, key=lambda bin: abs(exact - bin), default=None)

    @property
    def cell(self) -> float:
        """Edge of a cell, pixel."""
        return float(self.bin or self.speckle_width / SPECKLE_CELLS)


@dataclass(frozen=True)
class UsualWidth:
    """Speckle width of the usual particle of a file.

    Attributes:
        width: Width, pixel; NaN where no frame shows one.
        spread: Robust standard deviation over the frames of that size, relative.
        frames: Number of frames of that size.
        second: Width of a second frequent size, pixel; None where there is one size.
    """

    width: float
    spread: float
    frames: int
    second: float | None = None


def speckle_widths(
    photons: Tensor,
    mask: Tensor,
    beam_centre: Tensor,
    background: Tensor | float = 0.0,
    narrowest: float = RINGS_RESOLVED,
) -> tuple[Tensor, Tensor]:
    """Speckle width of each pattern from the fit of a sphere in pixels; no geometry is needed.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) or (B, 2) row, column, pixel.
        background: Flat background, (B,) or one for all, photons per pixel.
        narrowest: Least width that is tried, pixel.

    Returns:
        Widths, (B,) pixels, NaN where none that was tried is best, and quality of the fits, (B,), up to 1; 0 where a
        decay without rings is better.
    """
    edge = min(photons.shape[-2:]) // 2 - 1
    widest = max(edge / _FIRST_MINIMUM, 1.1 * narrowest)
    ends = torch.tensor([1 / widest, 1 / narrowest], dtype=torch.float64).log()
    sizes = torch.linspace(float(ends[0]), float(ends[1]), _SIZES, dtype=torch.float64, device=photons.device).exp()
    # a small angle at which q is the radius in pixels
    sphere = fit_sphere(photons, mask, beam_centre, 1e4, 1.0, 1e-4, diameters=sizes, background=background)
    inside = (sphere.diameter > 1.001 * sizes[0]) & (sphere.diameter < 0.999 * sizes[-1])
    rings = sphere.quality > decay_quality(photons, mask, beam_centre, background)
    return torch.where(inside, 1 / sphere.diameter, torch.nan), sphere.quality * (inside & rings)


def usual_width(widths: Tensor, quality: Tensor) -> UsualWidth:
    """Most frequent speckle width of many hits, most of which may be other things than single particles.

    Frames count by the quality of their fit; those of quality 0 count where hardly any other shows rings. The mode of
    the density of log width chooses the size, and the weighted median of the frames near it is the width.

    Args:
        widths: (N,) widths, pixel; NaN where unknown.
        quality: (N,) quality of each fit, up to 1; 0 without rings.
    """
    known = widths.isfinite() & (quality > 0)
    if int(known.sum()) < _LEAST_RINGS:
        known, quality = widths.isfinite(), torch.ones_like(quality)
    if not known.any():
        return UsualWidth(float("nan"), float("nan"), 0)
    position, quality = widths[known].double().log(), quality[known].double()
    weight = (quality - min(_TRUSTED, float(quality.median()))).clamp_min(0.02)
    density = _density(position, position, weight)
    mode = position[density.argmax()]
    near = (position - mode).abs() < _NEAR
    middle = _weighted_median(position[near], weight[near])
    spread = _DEVIATION * _weighted_median((position[near] - middle).abs(), weight[near])
    rest = (position - middle).abs() > _APART
    second = None
    if rest.any() and near.sum() > 4:
        other = position[rest][density[rest].argmax()]
        here = (position - other).abs() < _NEAR
        if float(weight[here].sum() / weight.sum()) > _SECOND and _is_valley(position, weight, middle, other):
            second = float(_weighted_median(position[here & rest], weight[here & rest]).exp())
    return UsualWidth(float(middle.exp()), float(spread), int(near.sum()), second)


def usual_centre(centres: Tensor, symmetry: Tensor) -> tuple[Tensor, float]:
    """Beam centre common to many hits: weighted median of their centres of symmetry.

    Args:
        centres: (N, 2) row, column, pixel.
        symmetry: (N,) correlation of each pattern with its inversion, its weight.

    Returns:
        Row and column (2,), pixel, NaN where no pattern is symmetric, and the robust standard deviation over patterns.
    """
    weight = symmetry.nan_to_num(0).clamp_min(0).double() ** 2
    if not bool((weight > 0).any()):
        return torch.full((2,), torch.nan, dtype=torch.float64), float("nan")
    used = weight > 0
    centres, weight = centres[used].double(), weight[used]
    middle = torch.stack([_weighted_median(centres[:, axis], weight) for axis in (0, 1)])
    off = [_weighted_median((centres[:, axis] - middle[axis]).abs(), weight) for axis in (0, 1)]
    return middle, _DEVIATION * float(torch.stack(off).mean())


def _weighted_median(values: Tensor, weight: Tensor) -> Tensor:
    """Value (N,) at which half of the weight (N,) is reached."""
    order = values.argsort()
    summed = weight[order].cumsum(0)
    return values[order[int((summed < summed[-1] / 2).sum())]]


def _density(at: Tensor, position: Tensor, weight: Tensor) -> Tensor:
    """Density of weighted positions (N,) at some points (M,)."""
    return torch.exp(-(((at[:, None] - position) / _BANDWIDTH) ** 2) / 2) @ weight


def _is_valley(position: Tensor, weight: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether the density between two positions falls below half of that at the lower one."""
    steps = torch.linspace(0, 1, 33, dtype=position.dtype, device=position.device)
    density = _density(one + (other - one) * steps, position, weight)
    return bool(density.min() < torch.minimum(density[0], density[-1]) / 2)
