"""Phase-retrieval transfer function (PRTF) of independent runs, in the two definitions in use."""

from dataclasses import dataclass
from functools import cache
from math import e

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.align import align
from spi_lightning.physics.agreement import predicted_amplitude
from spi_lightning.physics.fourier import fourier

from .shells import crossing, shells

DEFINITIONS = ("phase", "modulus")
LEAST_RUNS = 3  # runs from which a resolution is given; two agree by chance in shells of few pixels


@dataclass(frozen=True)
class PRTF:
    """Phase-retrieval transfer function of one pattern.

    Attributes:
        value: (spatial) PRTF of every pixel, origin at n // 2.
        curve: (S,) mean over shells, measured pixels only.
        frequency: (S,) mean frequencies of the shells, cycles per pixel.
        corrected: (S,) curve corrected for chance agreement, see without_chance.
        chance: Mean PRTF of unrelated phases for the same number of runs, see chance_level.
        resolution: Frequency at which ``corrected`` falls below 1/e, cycles per pixel; NaN if it never does,
            and for fewer than LEAST_RUNS runs.
        runs: Number of runs compared.
        identical: Whether all runs are one density, as from one fixed start; the PRTF is then 1 and meaningless, see
            Bellisario & Ekeberg (2024), Sect. 6.
    """

    value: Tensor
    curve: Tensor
    frequency: Tensor
    corrected: Tensor
    chance: float
    resolution: float
    runs: int
    identical: bool


def prtf(
    density: Tensor,
    mask: Tensor | None = None,
    definition: str = "phase",
    fourier_amplitude: Tensor | None = None,
    subpixel: bool = False,
    aligned: bool = False,
    point_spread: Tensor | None = None,
) -> PRTF:
    """PRTF of the runs of one pattern.

    Args:
        density: (B, spatial) runs of one pattern; aligned to the first over translation, twin and global phase.
        mask: (spatial) bool, True = measured; only those pixels enter the curve.
        definition: "phase": |mean of exp(i phi)|, as Bellisario & Ekeberg's code, spipy and libspimage have it;
            "modulus": |mean of F| / measured amplitude (Chapman et al. 2006), which falls with differing amplitudes
            too.
        fourier_amplitude: (spatial) measured amplitudes, needed for "modulus".
        subpixel: Whether to align below a pixel.
        aligned: Whether the runs are aligned already.
        point_spread: (axes) widths in pixels of the blur of the measured amplitudes, for "modulus": the mean is blurred
            alike, see predicted_amplitude.

    Raises:
        UserError: There are fewer than two runs, or the definition is unknown.

    Source: Chapman et al. (2006), J. Opt. Soc. Am. A 23, 1179.
    """
    if definition not in DEFINITIONS:
        raise UserError(f"prtf: definition={definition!r} is neither 'phase' nor 'modulus'")
    if definition == "modulus" and fourier_amplitude is None:
        raise UserError("prtf: the 'modulus' definition needs fourier_amplitude")
    if len(density) < 2:
        raise UserError(f"prtf: {len(density)} run is too few; independent starts are compared")
    density = density if aligned else align(density, density[0], subpixel)
    if definition == "phase":
        value = fourier(density, density.ndim - 1).sgn().mean(0).abs()
    else:
        assert fourier_amplitude is not None
        tiny = 1e-6 * fourier_amplitude.max()
        spread = None if point_spread is None else point_spread[None]
        mean = predicted_amplitude(density.mean(0, keepdim=True), spread)[0]
        ratio = mean / fourier_amplitude.clamp_min(tiny)
        value = torch.where(fourier_amplitude > tiny, ratio, torch.nan)
    rings = shells(density.shape[1:])
    counted = value.isfinite() if mask is None else mask.expand(value.shape) & value.isfinite()
    curve = rings.mean(value, counted)
    runs = len(density)
    corrected = without_chance(rings.mean(value.square(), counted), runs)
    resolution = float(crossing(rings.frequency, corrected, 1 / e)) if runs >= LEAST_RUNS else float("nan")
    chance = chance_level(runs)
    return PRTF(value, curve, rings.frequency, corrected, chance, resolution, runs, _identical(density))


@cache
def chance_level(runs: int) -> float:
    """Chance level of the PRTF: mean of |mean of exp(i phi)| over unrelated phases of some runs.

    0.64 for 2 runs, 0.53 for 3, about sqrt(pi / (4 runs)).

    The integral of (1 - J0(t)^runs) / (runs t^2) over t from 0, of Kluyver's density of random walks in a plane.
    """
    t = torch.linspace(0, 400, 400_001, dtype=torch.float64)[1:]
    integrand = (1 - torch.special.bessel_j0(t) ** runs) / t.square()
    rest = 1 / float(t[-1])  # beyond it J0^runs is negligible
    return (float(torch.trapezoid(integrand, t)) + float(integrand[0] * t[0]) + rest) / runs


def without_chance(mean_square: Tensor, runs: int) -> Tensor:
    """PRTF corrected for chance agreement, 0 or more, as of very many runs; (S,) -> (S,).

    |mean of exp(i phi)|^2 of n runs is on average c^2 + (1 - c^2) / n, where c is that of infinitely many.

    Args:
        mean_square: (S,) mean of the squared PRTF over a shell.
        runs: Number of runs n, 2 or more.
    """
    return ((runs * mean_square - 1) / (runs - 1)).clamp_min(0).sqrt()


def _identical(aligned: Tensor, tolerance: float = 1e-6) -> bool:
    away = (aligned - aligned[0]).flatten(1).norm(dim=1).amax()
    return bool(away <= tolerance * aligned[0].norm())
