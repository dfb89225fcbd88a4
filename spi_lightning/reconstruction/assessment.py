"""Assessment of a reconstruction: its best start, how the starts agree, and what photon noise explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.crop_to_beam import CENTRE
from spi_lightning.data.measurement import Measurement
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.shells import common_edge, resolutions, shells
from spi_lightning.notes import Note
from spi_lightning.phasing import align, alignment
from spi_lightning.phasing.checks import comes_of_the_offset, symmetry_notes
from spi_lightning.physics.agreement import fourier_error, r_factor
from spi_lightning.physics.array import resized
from spi_lightning.physics.photons import counting_error
from spi_lightning.results.phasing import PhasingFacts, PhasingResult

from .laboratory import axes_of, frame_of
from .problem import PhasingProblem
from .reconstruct import Reconstruction

Numbers = dict[str, Any]
_DOUBTFUL: Final = 0.1  # relative Fourier error beyond photon noise from which another constraint may be the remedy
_EMPTY: Final = np.empty(0, dtype=np.float64)


@dataclass(frozen=True)
class _Errors:
    """Relative Fourier errors (S,) of the starts on fitted and on held-out pixels (NaN: none); the best kept start."""

    fitted: Tensor
    held_out: Tensor
    best: int


def assess(reconstruction: Reconstruction) -> tuple[PhasingResult, Numbers]:
    """A result as reports and other programs take it, and the numbers of metrics.json.

    Args:
        reconstruction: The starts of one pattern and what they agree on.
    """
    problem, kept, polish = reconstruction.problem, reconstruction.averaged.kept, reconstruction.polish
    errors = _errors(reconstruction)
    curves = agreement(
        problem, reconstruction.averaged.aligned[kept], None if polish is None else polish.median_spread(kept)
    )
    result = _with_asymmetry(problem, _result(reconstruction, errors, curves))
    numbers: Numbers = {"starts": problem.settings.starts, "kept": int(kept.sum())}
    numbers |= _error_numbers(reconstruction, errors, result.about.counting_error)
    numbers |= _size_and_time(reconstruction, int(result.support.sum()))
    numbers |= {} if polish is None else polish.numbers(kept)
    numbers |= _crossings(curves, reconstruction, result)
    if result.truth is not None:
        numbers |= compare(reconstruction.density, torch.from_numpy(result.truth).to(reconstruction.density))
    numbers |= _size(result)
    known = {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}
    return replace(result, metrics=known), known


def _errors(reconstruction: Reconstruction) -> _Errors:
    """Errors of the starts as they are reported: of blurred patterns, where the polish fitted a blur."""
    problem, density = reconstruction.problem, reconstruction.phased.density
    spread = None if reconstruction.polish is None else reconstruction.polish.point_spread
    fitted = fourier_error(density, problem.amplitude[None], problem.fitted, point_spread=spread)
    held_out = problem.held_out_error(density, problem.amplitude, spread)
    best = int(torch.where(reconstruction.averaged.kept, fitted, torch.inf).argmin())
    return _Errors(fitted, held_out, best)


def _with_asymmetry(problem: PhasingProblem, result: PhasingResult) -> PhasingResult:
    """The result with a note where a real density fits badly because the pattern is not symmetric about its centre."""
    measured = problem.measured
    doubted = any(note.subject == CENTRE for note in measured.notes)  # a wrong centre is one cause, in one line
    if problem.constraint == "complex" or result.misfit <= _DOUBTFUL or doubted:
        return result
    beside, amplitude = measured.beside, problem.amplitude[None]
    if beside is not None and not comes_of_the_offset(measured.fourier_amplitude, measured.mask, beside):
        beside = None
    lines = symmetry_notes(amplitude, measured.mask[None].to(amplitude.device), beside, measured.bin)
    about = replace(result.about, sampled_beside=bool(lines) and beside is not None)
    return replace(result, notes=(*result.notes, *lines), about=about)


def _result(reconstruction: Reconstruction, errors: _Errors, curves: dict[str, Any]) -> PhasingResult:
    """What the page and other programs are made from."""
    problem, phased, averaged = reconstruction.problem, reconstruction.phased, reconstruction.averaged
    pixel, known = pixel_edge(problem.measured)
    support = alignment(phased.support.to(phased.density.dtype), averaged.aligned.abs().mean(0)).density.abs() > 0.5
    halves, polish = reconstruction.halves, reconstruction.polish
    spread = None if polish is None else polish.point_spread
    return PhasingResult(
        intensity=_numpy(problem.amplitude.square()),
        mask=_numpy(problem.measured.mask),
        held_out=_numpy(problem.held_out),
        density=_numpy(averaged.density),
        support=_numpy(support[averaged.kept].float().mean(0) > 0.5),
        start_support=_numpy(problem.support),
        starts=_numpy(averaged.aligned),
        error=_numpy(phased.error),
        final_error=_numpy(errors.fitted),
        held_out_error=_numpy(errors.held_out),
        kept=_numpy(averaged.kept),
        frequency=_numpy(curves["frequency"]) / common_edge(pixel, known),
        prtf=_numpy(curves["phase"]),
        prtf_corrected=_numpy(curves["corrected"]),
        prtf_modulus=_numpy(curves["modulus"]),
        fsc=_EMPTY if halves is None else _numpy(halves.curve),
        half_bit=_EMPTY if halves is None else _numpy(halves.half_bit),
        pixel=pixel,
        known=known,
        truth=_aligned_truth(problem.measured, averaged.density),
        point_spread=None if spread is None else _numpy(spread),
        notes=(*problem.measured.notes, *problem.notes, *phased.notes, *_polish_notes(reconstruction, errors)),
        axes=axes_of(problem.measured),
        about=_about(problem, curves, 0 if polish is None else polish.steps),
    )


def _polish_notes(reconstruction: Reconstruction, errors: _Errors) -> list[Note]:
    """Lines on what a polish gained and which blur it found; none without one."""
    if reconstruction.polish is None:
        return []
    kept, element = reconstruction.averaged.kept, "voxel" if reconstruction.density.ndim == 3 else "pixel"
    error, held_out = float(errors.fitted[errors.best]), float(errors.held_out[errors.best])
    return reconstruction.polish.notes(errors.best, kept, error, held_out, element)


def _about(problem: PhasingProblem, curves: dict[str, Any], polish_steps: int) -> PhasingFacts:
    """Words and numbers on the settings, the unit of the values and the agreement of the starts."""
    measured, settings = problem.measured, problem.settings
    counts = measured.whole if measured.poisson is None else measured.poisson
    noise = counting_error(problem.amplitude[None], problem.fitted[None], counts)[0]
    return PhasingFacts(
        frame=frame_of(measured),
        recipe=str(problem.recipe),
        constraint=problem.constraint,
        support=settings.support_name,
        start=settings.start_name,
        counted=measured.photons,
        counting_error=float(noise) if measured.whole or measured.poisson else None,
        chance=curves["chance"],
        free=1 - float(measured.mask.float().mean()),
        identical_starts=problem.begins_alike,
        converged_starts=curves["identical"] and not problem.begins_alike,
        polish_steps=polish_steps,
    )


def _error_numbers(reconstruction: Reconstruction, errors: _Errors, counting: float | None) -> Numbers:
    """How well the starts, and their mean, explain the pattern; ``counting``: what photon noise alone leaves."""
    problem, kept, best = reconstruction.problem, reconstruction.averaged.kept, errors.best
    amplitude, density = problem.amplitude[None], reconstruction.phased.density
    spread = None if reconstruction.polish is None else reconstruction.polish.point_spread
    own, typical = (None, None) if spread is None else (spread[best : best + 1], spread[kept].quantile(0.5, 0, True))
    mean = fourier_error(reconstruction.density[None], amplitude, problem.fitted, point_spread=typical)
    return {
        "fourier_error/best": float(errors.fitted[best]),
        "fourier_error/lowest_of_all_starts": float(errors.fitted.min()),
        "fourier_error/median": float(errors.fitted.median()),
        "fourier_error/of_mean": float(mean[0]),
        "fourier_error/of_counting": counting,
        "measured_pixels": int(problem.measured.mask.sum()),
        "held_out_pixels": int(problem.held_out.sum()),
        "held_out_error/best": float(errors.held_out[best]),
        "r_factor/best": float(r_factor(density[best : best + 1], amplitude, problem.fitted, point_spread=own)[0]),
    }


def _size_and_time(reconstruction: Reconstruction, inside: int) -> Numbers:
    """Pixels of the result's support, the oversampling per axis that follows, and what the phasing took."""
    problem, phased, iterations = (
        reconstruction.problem,
        reconstruction.phased,
        reconstruction.problem.recipe.iterations,
    )
    return {
        "support/pixels": inside,
        "support/oversampling": float((problem.support.numel() / max(inside, 1)) ** (1 / problem.amplitude.ndim)),
        "iterations": iterations,
        "seconds": round(phased.seconds, 3),
        "ms_per_iteration_and_start": 1e3 * phased.seconds / iterations / problem.settings.starts,
    }


def _size(result: PhasingResult) -> Numbers:
    """Largest and smallest width of the particle, or the extent along each axis of a scan, nm or pixels."""
    names = result.axis_names if result.about.frame else ("longest", "shortest")
    factor, unit = (1e9, "nm") if result.known else (1.0, f"{result.element}s")
    return {f"size/{name}_{unit}": factor * length for name, length in zip(names, result.size, strict=True)}


def agreement(problem: PhasingProblem, kept: Tensor, spread: Tensor | None = None) -> dict[str, Any]:
    """Both PRTF of the starts that were kept, NaN where there is one alone.

    Args:
        problem: Pattern and settings that were phased.
        kept: (S, spatial) densities of the starts that agree, aligned.
        spread: (axes) widths of the blur by partial coherence, pixel; None: none.
    """
    rings = shells(problem.amplitude.shape)
    blank = torch.full_like(rings.frequency, torch.nan)
    found: dict[str, Any] = {"frequency": rings.frequency, "chance": None, "crossing": None, "identical": False}
    if len(kept) < 2:
        return found | {"phase": blank, "corrected": blank, "modulus": blank}
    phases = prtf(kept, problem.fitted, aligned=True)
    modulus = prtf(kept, problem.fitted, "modulus", problem.amplitude, aligned=True, point_spread=spread)
    return found | {
        "phase": phases.curve,
        "corrected": phases.corrected,
        "modulus": modulus.curve,
        "chance": phases.chance,
        "crossing": None if np.isnan(phases.resolution) else phases.resolution,
        "identical": phases.identical,
    }


def _crossings(curves: dict[str, Any], reconstruction: Reconstruction, result: PhasingResult) -> Numbers:
    """Frequencies where the curves fall below their thresholds, None: nowhere; and the full-period resolution there.

    Of the PRTF of a run that is not resolved, the frequency alone.

    Shells are of equal frequency in cycles per pixel, so that the resolution along an axis is its pixel's edge over it;
    ``resolution_nm`` is the geometric mean of the axes.
    """
    found = {"prtf": curves["crossing"]}
    if reconstruction.halves is not None:
        crossing = float(reconstruction.halves.half_bit_crossing)
        found["fsc_half_bit"] = None if np.isnan(crossing) else crossing
    numbers: Numbers = {"prtf/chance": curves["chance"]}
    for name, frequency in found.items():
        numbers[f"{name}/crossing"] = frequency
        if frequency and result.known and not (name == "prtf" and result.unresolved):
            along = resolutions(name, frequency, result.pixel, result.axis_names)
            numbers |= {f"{name}/resolution_nm": float(np.exp(np.log([*along.values()]).mean()))} | along
    return numbers


def pixel_edge(measured: Measurement) -> tuple[NDArray[np.float64], bool]:
    """Edge of a density pixel along each axis, 1 / (n frequency_step), m; ones where the geometry is unknown."""
    if measured.frequency_step is None:
        return np.ones(measured.mask.ndim), False
    return 1 / (np.array(measured.mask.shape) * np.array(measured.frequency_step)), True


def _aligned_truth(measured: Measurement, density: Tensor) -> NDArray[Any] | None:
    """The true density, (spatial) like the reconstructed one and aligned to it; None where unknown."""
    if measured.density is None:
        return None
    truth = resized(measured.density, measured.mask.shape).to(density.device)
    if density.is_complex():
        truth = truth.to(density.dtype)
    return _numpy(align(truth[None], density)[0])


def compare(density: Tensor, truth: Tensor) -> dict[str, float]:
    """Overlap with the true density, and the relative error left after the best scale.

    Args:
        density: (spatial) mean density of the starts.
        truth: (spatial) true density, aligned to it but for fractions of a pixel.

    Returns:
        Overlap ``truth/correlation``, 0 to 1, and ``truth/error``.
    """
    moved = alignment(density[None], truth, subpixel=True)
    overlap = float(moved.overlap[0])
    return {"truth/correlation": overlap, "truth/error": max(0.0, 1 - overlap**2) ** 0.5}


def _numpy(values: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = values.detach().cpu().numpy()
    return array
