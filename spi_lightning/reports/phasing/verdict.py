"""Answer and verdict of a phasing run in sentences: what was found, how far it can be trusted, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch

from spi_lightning.metrics.extent import widths
from spi_lightning.metrics.shells import crossing, shells
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal, firm
from spi_lightning.results.phasing import FEW_STARTS, PhasingResult, Unresolved

_FREE: Final = 0.1  # share of free pixels from which the errors are too low
_UNCONFIRMED: Final = "Unconfirmed: "
_MOST_STRAINED: Final = (2.5, 97.5)  # percentiles that a range of strain excludes on either side


def answer(result: PhasingResult, metrics: Mapping[str, Any], crystal: LaboratoryCrystal | None = None) -> str:
    """Two sentences: size of the particle (and strain of a crystal), and resolution with its method and limits.

    Args:
        result: Result of the phasing run.
        metrics: Numbers of the run, as in metrics.json.
        crystal: The crystal in the laboratory frame, where the run has one.
    """
    what = _size(result) if crystal is None else _crystal(crystal)
    if doubt := _doubt(result):
        return f"{doubt} Nothing of the density is therefore a result. {_UNCONFIRMED}{what[0].lower()}{what[1:]}"
    return f"{what} {_resolution(result, metrics)}"


def _size(result: PhasingResult) -> str:
    """Largest and smallest width of a particle; its extent along each axis where these are not perpendicular."""
    factor, unit = (1e9, "nm") if result.known else (1.0, f"{result.element}s")
    where = f"at {result.surface}"
    if result.about.frame:
        lengths = " x ".join(f"{factor * length:.3g}" for length in result.size)
        return f"The crystal measures {lengths} {unit} along frame, row and column of the scan ({where})."
    long, short = (factor * width for width in result.size)
    hint = "" if result.known else f"; {unit} of the density, nm with data.geometry"
    return f"The particle is {long:.3g} {unit} long and {short:.3g} wide (largest and smallest width {where}{hint})."


def _crystal(crystal: LaboratoryCrystal) -> str:
    """Widths, volume and strain range of a crystal in the laboratory frame."""
    edge = 1e9 * crystal.voxel_size
    long, short = widths(crystal.solid_amplitude.numpy(), crystal.surface_level, [edge] * 3)
    low, high = np.percentile(crystal.strain[firm(crystal)].numpy(), _MOST_STRAINED)
    volume = 1e-9 * crystal.numbers["volume_nm3"]
    return (
        f"The crystal is {long:.3g} nm long and {short:.3g} nm wide (largest and smallest width, {volume:.3g} µm³; at "
        f"half the typical density), its strain along Q {low:+.1e} to {high:+.1e} about its mean (95 % of the voxels "
        "inside its surface)."
    )


def _doubt(result: PhasingResult) -> str:
    """Reason why no resolution is given; empty where there is none."""
    kept, total, best = int(result.kept.sum()), len(result.kept), result.best
    match result.unresolved:
        case Unresolved.OVERFITTED:
            return (
                "WARNING: overfitted, so no resolution is given: relative Fourier error "
                f"{result.final_error[best]:.3g} on fitted {result.element}s, "
                f"{result.held_out_error[best]:.3g} on others."
            )
        case Unresolved.POOR:
            return (
                "WARNING: the density does not explain the pattern, so no resolution is given: relative Fourier error "
                f"{result.final_error[best]:.3g}; {_suspects(result)}."
            )
        case Unresolved.IDENTICAL:
            return "No resolution is given: all starts began from the same density, so their agreement means nothing."
        case Unresolved.FEW if kept == 1:
            alone = f"No resolution is given: no other of the {total} starts agrees with the best"
            return f"{alone}; {_more_agreement(result)}."
        case Unresolved.FEW:
            return (
                f"No resolution is given: {kept} of {total} starts agree, too few for a PRTF, since the phases of "
                f"{kept} unrelated starts agree to {_chance(result):.2f}, above its threshold of 1/e; "
                f"{_more_agreement(result)}."
            )
    return ""


def _resolution(result: PhasingResult, metrics: Mapping[str, Any]) -> str:
    """Resolution by the PRTF, with the number of starts, chance and errors, and by two halves of the photons."""
    kept, total, best = int(result.kept.sum()), len(result.kept), result.best
    period, falls = _period(result, metrics, "prtf")
    text = f"Resolution {period}, full period: " if falls else f"Resolution at the limit of the data, {period}: "
    text += (
        f"the PRTF of the phases of {kept} of {total} starts, less chance ({_chance(result):.2f} for as many unrelated "
    )
    text += f"starts), {'falls below' if falls else 'stays above'} 1/e{_by_modulus(result, metrics)}"
    text += _by_halves(result, metrics)
    text += f"; relative Fourier error {result.final_error[best]:.3g}"
    if np.isfinite(held := result.held_out_error[best]):
        text += f", on held-out {result.element}s {held:.3g}"
    if 2 * kept <= total:
        text += f". The other {total - kept} starts found something else: kept starts are chosen because they agree"
    return text + "."


def _by_modulus(result: PhasingResult, metrics: Mapping[str, Any]) -> str:
    """Period at which the PRTF by the modulus falls, where that is earlier: phases can agree on noise; else empty."""
    rings = shells(result.density.shape)
    curve = torch.from_numpy(np.asarray(result.prtf_modulus, dtype=np.float64))
    found = float(crossing(rings.frequency.double(), curve, 1 / np.e))
    if not found < (metrics.get("prtf/crossing") or 0.5):
        return ""
    return f" (by the modulus at {_period(result, {'prtf/crossing': found}, 'prtf')[0]} already)"


def _by_halves(result: PhasingResult, metrics: Mapping[str, Any]) -> str:
    """Period at which the correlation of two halves of the photons falls, or how to get it; else empty."""
    if len(result.fsc):
        period, falls = _period(result, metrics, "fsc_half_bit")
        name = "FSC" if result.density.ndim == 3 else "FRC"
        return f"; the {name} of two halves {'falls below' if falls else 'stays above'} half a bit at {period}"
    return "; starts can agree on noise, halves=true tests the resolution" if result.about.counted else ""


def _period(result: PhasingResult, metrics: Mapping[str, Any], name: str) -> tuple[str, bool]:
    """Full period at which a curve crosses its threshold, else that at the edge of the data, and whether it crosses."""
    found: float | None = metrics.get(f"{name}/crossing")
    return result.full_period(found), found is not None


def verdict(result: PhasingResult, metrics: dict[str, Any]) -> str:
    """Summary of a run: agreement of the starts, errors, resolution, and reasons to doubt them.

    Args:
        result: Result of the phasing run.
        metrics: Numbers of the run, as in metrics.json.
    """
    kept, total, best = int(result.kept.sum()), len(result.kept), result.best
    error, held, noise = result.final_error[best], result.held_out_error[best], result.about.counting_error
    poor, element = result.poor, result.element
    agree = f"{kept} of {total} starts agree" + (" with one another but do not fit the pattern" if poor else "")
    if kept == 1:
        others = "the other start does not agree" if total == 2 else f"none of the other {total - 1} starts agrees"
        agree = "one start, which nothing confirms" if total == 1 else f"{others} with the best"
    text = f"{agree[0].upper()}{agree[1:]}; the best{' of them' if 1 < kept < total else ''} leaves a relative Fourier "
    overfit = result.overfitted
    if overfit:
        text = f"WARNING: {text}error of {held:.3g} on held-out {element}s, {error:.3g} on those it was fitted to"
    else:
        text += f"error of {error:.3g}" + (f", on held-out {element}s {held:.3g}" if np.isfinite(held) else "")
    text += f" (photon noise alone: about {noise:.2g})." if noise else "."
    if overfit:
        text += (
            " It is overfitted: take a tighter support, a recipe with shrink-wrap, "
            "fewer steps of polish, or more photons."
        )
        left_out = np.where(result.kept, np.inf, result.held_out_error).min()
        if left_out < held / 2:
            text += f" A start that was left out leaves {left_out:.3g} on held-out {element}s."
    if result.final_error.min() < 0.95 * error:
        text += f" A start that agrees with no other leaves {result.final_error.min():.3g} and was left out."
    if poor:
        text += f" That is a poor fit: {_suspects(result)}."
    if (free := result.about.free) > _FREE:
        text += (
            f" These errors are of the {1 - free:.0%} of the {element}s that were measured; the others are free, so "
        )
        text += "they are smaller than those of a pattern without free ones, and no sign of a better density."
    if kept > 1:
        fall = "names no resolution" if result.unresolved else _fall(result, metrics, "prtf", "1/e")
        text += f" The PRTF (of phases) of those kept, less chance, {fall}"
        if chance := _chance(result):
            text += f"; phases of {kept} unrelated starts agree to {chance:.2f}"
            text += f", so {kept} are too few; {_more_agreement(result)}" if kept < FEW_STARTS else ""
        text += "."
    if len(result.fsc):
        name = "FSC" if result.density.ndim == 3 else "FRC"
        fall = _fall(result, metrics, "fsc_half_bit", "half a bit")
        text += f" The {name} of two halves of the photons {fall}."
    if result.about.identical_starts:
        text += " All starts began from the same density, so the PRTF is 1 by construction and has no meaning."
    elif result.about.converged_starts:
        text += " The starts began apart and ended at one density."
    return text


def _more_agreement(result: PhasingResult) -> str:
    """What to try where too few starts agree: more, or where most fail another recipe, constraint or support."""
    kept, total = int(result.kept.sum()), len(result.kept)
    if 2 * kept >= total or total < FEW_STARTS:
        return "make more (starts=20)"
    if result.density.ndim == 3:
        return "most starts fail: take more iterations (phasing=wu_iterative), a known support or less binning"
    complex_one = "" if result.about.constraint == "complex" else "phasing.constraint=complex, "
    return f"most starts fail: try {complex_one}phasing=planar (separate parts, many speckles) or a tighter support"


def _suspects(result: PhasingResult) -> str:
    """Probable causes of a poor fit."""
    if result.about.sampled_beside:
        return "the beam lies beside the centre of a pixel, see the notes; check mask and support too"
    return f"check mask,{'' if result.element == 'voxel' else ' beam centre,'} support and constraint"


def _chance(result: PhasingResult) -> float:
    """PRTF of unrelated phases; 0 where it has no meaning."""
    return 0.0 if result.about.identical_starts else result.about.chance or 0.0


def _fall(result: PhasingResult, metrics: Mapping[str, Any], name: str, threshold: str) -> str:
    """Full period at which a curve falls below its threshold, in words; the frequency if the geometry is unknown.

    A curve that stays above it ends with the data, at a period of two edges of a pixel.

    Args:
        result: Result of the phasing run.
        metrics: Numbers of the run, as in metrics.json.
        name: Name of the curve in metrics.json.
        threshold: Threshold of the curve in words.
    """
    found = metrics.get(f"{name}/crossing")
    period = f"{result.full_period(found)} (full period)"
    if found is None:
        return f"stays above {threshold} up to the edge of the data{f', {period}' * result.known}"
    return f"falls below {threshold} at {period if result.known else f'{found:.3g} per {result.element}'}"
