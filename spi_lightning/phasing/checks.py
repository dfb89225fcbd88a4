"""What is wrong with the data or the support, said before and after phasing in terms of the user's input."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import shift
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.frames.beam_centre import find_beam_centre
from spi_lightning.physics.photons import counting_error
from spi_lightning.physics.twin import invert

_SYMMETRIC = 0.5  # correlation with the inversion about the centre above which that centre is believed
_PLATEAU = 0.03  # relative Fourier error that data worth phasing go below
_ODD = 0.03  # relative Fourier error, by a pattern's asymmetry, that is not of rounding or of a centre off by a hair
_BESIDE = 0.05  # pixel between a beam centre and the middle of a pixel that matters to nothing
_SPLINE = 15  # pixels on either side that a cubic spline reaches
_TOUCHED = 0.01  # share of what is not measured in an interpolated pixel
_EXPLAINED = 0.4  # of the asymmetry that may be left where an offset is its cause
_WORTHWHILE = 0.75  # of an offset that is left by what helps against it
_FLAT = 0.9  # share of the error that one fortieth of the iterations leaves where nothing improves any more


def check_amplitude(fourier_amplitude: Tensor, mask: Tensor) -> None:
    """Refuse measured amplitudes that are not finite, negative, or zero everywhere; (P, spatial) both.

    Raises:
        UserError: Naming the pattern and the number of pixels.
    """
    for what, wrong in (
        ("NaN or infinite", ~fourier_amplitude.isfinite() & mask),
        ("negative", (fourier_amplitude < 0) & mask),
    ):
        count = wrong.flatten(1).sum(1)
        if bool(count.any()):
            p = int(count.argmax())
            raise UserError(
                f"fourier_amplitude: pattern {p} has {int(count[p])} {what} values where mask is True; mask them"
            )
    dark = ~((fourier_amplitude > 0) & mask).flatten(1).any(1)
    if bool(dark.any()):
        p = int(dark.nonzero()[0])
        raise UserError(f"fourier_amplitude: pattern {p} is zero wherever mask is True: there is nothing to phase")


def oversampling(support: Tensor, ndim: int) -> Tensor:
    """Pixels of the array over pixels of the support, (...); above 2 there are more amplitudes than unknowns.

    Source: Miao, Sayre & Chapman (1998), J. Opt. Soc. Am. A 15, 1662.
    """
    pixels = support.flatten(-ndim)
    return pixels.shape[-1] / pixels.sum(-1).clamp_min(1)


def check_support(support: Tensor, ndim: int, least: float) -> None:
    """Refuse an empty support and one that leaves the density undetermined.

    Args:
        support: (..., spatial) bool.
        ndim: Number of spatial axes.
        least: Smallest ratio of array to support that is accepted.

    Raises:
        UserError: With the ratio.
    """
    if not bool(support.flatten(-ndim).any(-1).all()):
        raise UserError("support: it is empty (False everywhere); give the pixels where the particle may be")
    ratio = float(oversampling(support, ndim).min())
    if ratio < least:
        raise UserError(
            f"support: oversampling {ratio:.2f} (array over support) is below {least:g}: the amplitudes do not "
            "determine the density; give a tighter support, finer sampling, or a recipe with shrinkwrap"
        )


def centre_notes(fourier_amplitude: Tensor, mask: Tensor) -> list[Note]:
    """One line for every 2D pattern whose centre of inversion is not at n // 2; (P, H, W) both.

    A real density's pattern is centrosymmetric, so a shifted one is cut to pieces by the symmetry that phasing imposes.
    """
    middle = torch.tensor([n // 2 for n in fourier_amplitude.shape[-2:]])
    found = find_beam_centre(torch.where(mask, fourier_amplitude, 0).square(), mask, guess=middle)
    off = found.centre - middle.to(found.centre)
    wrong = (off.abs() > 0.5).any(1) & (found.symmetry > _SYMMETRIC)
    return [
        Note.of(
            f"pattern {p}: its centre is at row {float(found.centre[p, 0]):.1f}, column "
            f"{float(found.centre[p, 1]):.1f}, "
            f"{float(off[p].norm()):.1f} pixels from n // 2 = ({int(middle[0])}, {int(middle[1])}); centre it first"
        )
        for p in wrong.nonzero().flatten().tolist()
    ]


def symmetry_notes(
    fourier_amplitude: Tensor, mask: Tensor, beside: Sequence[float] | None = None, bin: int = 1
) -> list[Note]:
    """A line for patterns (P, spatial) that no real density has; to be asked once one did not fit.

    ``beside``: where the beam lies beside pixel n // 2, (row, column), pixels of ``bin`` measured ones, if that is why,
    see comes_of_the_offset.
    """
    ndim = fourier_amplitude.ndim - 1
    centre = "" if ndim > 2 else ", or check the beam centre"
    notes = []
    for odd in asymmetry(fourier_amplitude, mask):
        if odd <= _ODD:
            continue
        text = f"which alone leaves any real density a relative Fourier error of {odd:.3f}"
        if beside is not None:
            rows, columns = beside
            notes.append(
                Note.of(
                    f"the beam lies ({rows:+.2f}, {columns:+.2f}) pixels beside the middle of a pixel, so that the "
                    "pattern "
                    f"is symmetric about no pixel, {text}: that comes of the sampling, neither of the density nor of "
                    f"the centre; {_nearer(beside, bin)}"
                )
            )
        else:
            notes.append(
                Note.of(f"the pattern differs from its own inversion, {text}: try phasing.constraint=complex{centre}")
            )
    return notes


def asymmetry(fourier_amplitude: Tensor, mask: Tensor) -> list[float]:
    """Relative Fourier error of patterns (P, spatial) against their mean with their inversion, beyond photon noise."""
    ndim = fourier_amplitude.ndim - 1
    both = mask & invert(mask, ndim)
    kept = torch.where(both, fourier_amplitude, 0)
    power = kept.square().flatten(1).sum(1).clamp_min(1e-30)
    odd = (kept - invert(kept, ndim)).square().flatten(1).sum(1) / 4 / power
    found: list[float] = (odd - counting_error(kept, both).square() / 2).clamp_min(0).sqrt().tolist()
    return found


def comes_of_the_offset(amplitude: Tensor, mask: Tensor, beside: Sequence[float]) -> bool:
    """Whether a pattern (H, W) that is not symmetric about pixel n // 2 is so about the point ``beside`` it, pixel.

    A real density whose pattern is sampled beside its centre is multiplied by a ramp of phases, and so no longer real.
    """
    if max(map(abs, beside)) < _BESIDE:
        return False
    back = [-place for place in beside]
    impulse = np.zeros([2 * _SPLINE + 1] * 2)
    impulse[_SPLINE, _SPLINE] = 1
    left = float(np.square(shift(impulse, back)).sum())  # of the variance of noise, which interpolation averages
    hidden = shift((~mask).cpu().numpy().astype(np.float64), back, order=1, cval=1.0) > _TOUCHED
    values, kept = amplitude.cpu().double(), torch.from_numpy(~hidden)
    moved = torch.from_numpy(shift(values.numpy(), back, mode="nearest")).clamp_min(0)
    both = (kept & invert(kept, 2))[None]
    noise = left * float(counting_error(values[None], both & mask.cpu())[0]) ** 2 / 2
    here, there = asymmetry(values[None], mask.cpu()[None])[0], asymmetry(moved[None], both)[0]
    return bool(max(there**2 - noise, 0) ** 0.5 < _EXPLAINED * here)


def _nearer(beside: Sequence[float], bin: int) -> str:
    """What helps against an offset: other bins where these put the beam nearer to the middle of a pixel."""
    now = [bin * place for place in beside]  # pixels before binning; even bins have their middle between those
    then = [place - math.copysign(0.5, place) for place in now]
    other = bin - 1 if bin % 2 == 0 else 2 * bin
    if math.hypot(*then) < _WORTHWHILE * math.hypot(*now):
        return f"data.bin={other} puts the beam nearer to the middle of one" + (
            " if the pattern is sampled finely enough" if other > bin else ""
        )
    return "no other data.bin is nearer: resample the frame about its centre, or allow for that error"


def plateau_note(error: Tensor, starts: int, noise: Tensor | None = None) -> list[Note]:
    """A line for patterns none of whose starts is below a few per cent or still improves.

    Args:
        error: (iterations, B) errors of the iterates.
        starts: B is patterns x starts.
        noise: (P,) error that photon noise explains, see counting_error; None: none.
    """
    window = len(error) // 40
    if window < 2:
        return []
    last = error[-window:].mean(0).view(-1, starts).amin(1)
    before = error[-2 * window : -window].mean(0).view(-1, starts).amin(1)
    explained = torch.zeros_like(last) if noise is None else noise.to(last)
    beyond = (last.square() - explained.square()).clamp_min(0).sqrt()
    stuck = ((beyond > _PLATEAU) & (last > _FLAT * before)).nonzero().flatten().tolist()
    if not stuck:
        return []
    which = f"pattern {stuck[0]}" + (f" and {len(stuck) - 1} more" if len(stuck) > 1 else "")
    which = f"{which}: " if len(last) > 1 else ""
    counted = f", of which photon noise explains {float(explained[stuck[0]]):.3f}" if explained[stuck[0]] > 0 else ""
    return [
        Note.of(
            f"{which}the error of the iterates (the curve, before the final projection) stays at "
            f"{float(last[stuck[0]]):.3f}{counted}; the support may be smaller than the particle, or the data "
            "off-centre or with background"
        )
    ]
