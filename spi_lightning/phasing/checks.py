"""Held-out pixels, which validate a result; checks of data and support before phasing, and notes on its outcome."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import shift
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.array import middle
from spi_lightning.physics.frames.beam_centre import find_beam_centre
from spi_lightning.physics.photons import counting_error
from spi_lightning.physics.twin import invert


def hold_out(
    mask: Tensor, fraction: float, seed: int, ndim: int, centre: int = 5, pairs: bool = True
) -> tuple[Tensor, Tensor]:
    """Divide the measured pixels into those to fit and those to hold out.

    Args:
        mask: (..., spatial) bool, True = measured, origin at n // 2.
        fraction: Share of the measured pixels to hold out.
        seed: Seed of the draw.
        ndim: Number of spatial axes.
        centre: Edge of the central square or cube that is always fitted, pixel; 0: none.
        pairs: Hold out q and -q together, since a real density makes their amplitudes equal.

    Returns:
        Masks of the fitted and of the held-out pixels, bool, of the shape of ``mask``.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = tuple(range(-ndim, 0))
    drawn = torch.rand(mask.shape, generator=generator)
    if pairs:
        unshifted = torch.fft.ifftshift(drawn, dim=axes)
        partner = torch.roll(unshifted.flip(axes), (1,) * ndim, axes)
        # The smaller of two uniform draws is below t with probability 1 - (1 - t)^2, of one alone with t.
        drawn = torch.fft.fftshift(torch.minimum(unshifted, partner), dim=axes)
        alone = torch.fft.fftshift(_own_partner(mask.shape[-ndim:]), dim=axes)
        drawn = torch.where(alone, drawn, 1 - (1 - drawn).square())
    held = (drawn.to(mask.device) < fraction) & outside_centre(mask, ndim, centre)
    return mask & ~held, held


def outside_centre(mask: Tensor, ndim: int, centre: int = 5) -> Tensor:
    """Pixels that hold_out draws from, (..., spatial) bool: a mask without its central square or cube."""
    outside = mask.clone()
    if centre:
        outside[middle(mask.shape[-ndim:], centre)] = False
    return outside


def _own_partner(spatial: torch.Size) -> Tensor:
    """True where q and -q are one pixel (index 0 and, of an even axis, n / 2), origin at index 0."""
    found = torch.ones((), dtype=torch.bool)
    for axis, n in enumerate(spatial):
        index = torch.arange(n)
        along = (2 * index) % n == 0
        found = found & along.view(-1, *(1,) * (len(spatial) - 1 - axis))
    return found


_SYMMETRIC = 0.5  # least correlation with the inversion about a centre that is reported
_PLATEAU = 0.03  # relative Fourier error that phasing of good data falls below
_ODD = 0.03  # least relative Fourier error by a pattern's asymmetry that rounding and small offsets do not explain
_BESIDE = 0.05  # offset of a beam centre from the middle of a pixel that is negligible, pixel
_SPLINE = 15  # pixels on either side that a cubic spline reaches
_TOUCHED = 0.01  # share of what is not measured in an interpolated pixel
_EXPLAINED = 0.4  # largest share of the asymmetry that remains where an offset is its cause
_WORTHWHILE = 0.75  # largest share of an offset that a remedy leaves
_FLAT = 0.9  # share of the error that one fortieth of the iterations leaves at stagnation


def check_amplitude(fourier_amplitude: Tensor, mask: Tensor) -> None:
    """Refuse measured amplitudes that are not finite, negative, or zero everywhere; (P, spatial) both.

    Raises:
        UserError: The values are invalid; the message names the pattern and the number of pixels.
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
    """Oversampling of supports (..., spatial) bool: pixels of the array over pixels of the support, (...).

    Above 2 there are more amplitudes than unknowns.

    Source: Miao, Sayre & Chapman (1998), J. Opt. Soc. Am. A 15, 1662.
    """
    pixels = support.flatten(-ndim)
    return pixels.shape[-1] / pixels.sum(-1).clamp_min(1)


def check_support(support: Tensor, ndim: int, least: float) -> None:
    """Refuse an empty support and one that leaves the density undetermined.

    Args:
        support: (..., spatial) bool, True inside.
        ndim: Number of spatial axes.
        least: Smallest ratio of array to support that is accepted.

    Raises:
        UserError: The support is empty or too large; the message names the ratio.
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
    """Note on every 2D pattern whose centre of inversion is not at n // 2; (P, H, W) both.

    The pattern of a real density is centrosymmetric; off its centre it contradicts the symmetry that phasing imposes.
    """
    middle = torch.tensor([n // 2 for n in fourier_amplitude.shape[-2:]])
    found = find_beam_centre(torch.where(mask, fourier_amplitude, 0).square(), mask, guess=middle)
    off = found.centre - middle.to(found.centre)
    wrong = (off.abs() > 0.5).any(1) & (found.symmetry > _SYMMETRIC)
    return [
        Note.of(
            f"pattern {p}: its centre is at row {float(found.centre[p, 0]):.1f}, column "
            f"{float(found.centre[p, 1]):.1f}, {float(off[p].norm()):.1f} pixels from n // 2 = ({int(middle[0])}, "
            f"{int(middle[1])}); centre it first"
        )
        for p in wrong.nonzero().flatten().tolist()
    ]


def symmetry_notes(
    fourier_amplitude: Tensor, mask: Tensor, beside: Sequence[float] | None = None, bin: int = 1
) -> list[Note]:
    """Notes on patterns (P, spatial) that no real density has, for use after a poor fit.

    ``beside``: offset (row, column) of the beam from pixel n // 2, in pixels of ``bin`` measured ones, if it is the
    cause, see comes_of_the_offset.
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
                    f"pattern is symmetric about no pixel, {text}: that comes of the sampling, neither of the density "
                    f"nor of the centre; {_nearer(beside, bin)}"
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
    """Whether a pattern (H, W) is asymmetric about pixel n // 2 only because its centre is offset by ``beside``, pixel.

    Sampling a pattern off its centre multiplies the density by a phase ramp, so that a real one becomes complex.
    """
    if max(map(abs, beside)) < _BESIDE:
        return False
    back = [-shift_back for shift_back in beside]
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
    """Remedy for an offset in pixels: another bin that puts the beam nearer to the middle of a pixel."""
    now = [bin * offset for offset in beside]  # pixels before binning; even bins have their middle between those
    then = [offset - math.copysign(0.5, offset) for offset in now]
    other = bin - 1 if bin % 2 == 0 else 2 * bin
    if math.hypot(*then) < _WORTHWHILE * math.hypot(*now):
        return f"data.bin={other} puts the beam nearer to the middle of one" + (
            " if the pattern is sampled finely enough" if other > bin else ""
        )
    return "no other data.bin is nearer: resample the frame about its centre, or allow for that error"


def plateau_note(error: Tensor, starts: int, noise: Tensor | None = None) -> list[Note]:
    """Note on patterns none of whose starts has an error below a few per cent or still improves.

    Args:
        error: (iterations, B) errors of the iterates.
        starts: Number of starts per pattern; B is patterns x starts.
        noise: (P,) errors explained by photon noise, see counting_error; None: 0.
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
