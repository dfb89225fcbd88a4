"""What is said of a phasing run: the best start of those kept, how the starts agree, and what noise explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.crop_to_beam import CENTRE
from spi_lightning.data.measurement import Measurement
from spi_lightning.metrics.fsc import FSC
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.r_factor import r_factor
from spi_lightning.metrics.resolution import common_edge, resolutions
from spi_lightning.metrics.shells import shells
from spi_lightning.phasing import Averaged, Phased, align, alignment
from spi_lightning.phasing.checks import comes_of_the_offset, symmetry_notes
from spi_lightning.physics.agreement import fourier_error
from spi_lightning.physics.array import resized
from spi_lightning.physics.photons import counting_error
from spi_lightning.reports.phasing.verdict import misfit
from spi_lightning.results.phasing import PhasingFiles

from .phase import Task
from .polish import Finish

_DOUBTFUL = 0.1  # relative Fourier error beyond photon noise from which another constraint may be the mend
_EMPTY = np.empty(0, dtype=np.float64)


@dataclass(frozen=True)
class _Errors:
    """Relative Fourier errors (S,) of the starts on fitted and on held-out pixels (NaN: none); the best kept start."""

    fitted: Tensor
    held: Tensor
    best: int


def judge(
    task: Task,
    measured: Measurement,
    phased: Phased,
    averaged: Averaged,
    correlated: FSC | None,
    finish: Finish | None = None,
) -> tuple[PhasingFiles, dict[str, Any]]:
    """Everything that is said of the starts, as files for the page and as numbers; ``finish``: of a polish, if any."""
    spread = None if finish is None else finish.point_spread
    typical = None if finish is None else finish.median_spread(averaged.kept)
    errors = _errors(task, phased, averaged, spread)
    curves = agreement(task, averaged.aligned[averaged.kept], typical)
    files = _files(task, measured, phased, averaged, correlated, errors, curves)
    if finish is not None:
        best = errors.best
        error, held = float(errors.fitted[best]), float(errors.held[best])
        files.notes.extend(finish.notes(best, averaged.kept, error, held, files.element))
        files = replace(files, point_spread=None if spread is None else _numpy(spread))
        files.about["polish_steps"] = finish.steps
    told = any(note.subject == CENTRE for note in measured.notes)  # a wrong centre is one cause, in one line
    if task.constraint != "complex" and misfit(files) > _DOUBTFUL and not told:
        amplitude = task.amplitude[None]
        beside = measured.beside
        if beside is not None and not comes_of_the_offset(measured.fourier_amplitude, measured.mask, beside):
            beside = None
        lines = symmetry_notes(amplitude, measured.mask[None].to(amplitude.device), beside, measured.bin)
        files.notes.extend(lines)
        files.about["sampled_beside"] = bool(lines) and beside is not None
    numbers: dict[str, Any] = {"starts": task.starts, "kept": int(averaged.kept.sum())}
    numbers |= _error_numbers(task, phased, averaged, errors, files.about["counting_error"], finish)
    numbers |= _size_and_time(task, phased, int(phased.support[errors.best].sum()))
    numbers |= {} if finish is None else finish.numbers(averaged.kept)
    numbers |= _crossings(curves, correlated, files.pixel, files.known)
    if files.truth is not None:
        numbers |= compare(averaged.density, torch.from_numpy(files.truth).to(averaged.density))
    return files, {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}


def _errors(task: Task, phased: Phased, averaged: Averaged, spread: Tensor | None) -> _Errors:
    fitted = fourier_error(phased.density, task.amplitude[None], task.fitted, point_spread=spread)
    held = torch.full_like(fitted, torch.nan)
    if bool(task.held.any()):
        held = fourier_error(phased.density, task.amplitude[None], task.held, point_spread=spread)
    return _Errors(fitted, held, int(torch.where(averaged.kept, fitted, torch.inf).argmin()))


def _files(
    task: Task,
    measured: Measurement,
    phased: Phased,
    averaged: Averaged,
    correlated: FSC | None,
    errors: _Errors,
    curves: dict[str, Any],
) -> PhasingFiles:
    """What the page and other programs are made from."""
    pixel, known = pixel_edge(measured)
    support = alignment(phased.support.to(phased.density.dtype), averaged.aligned.abs().mean(0)).density.abs() > 0.5
    return PhasingFiles(
        intensity=_numpy(task.amplitude.square()),
        mask=_numpy(measured.mask),
        held_out=_numpy(task.held),
        density=_numpy(averaged.density),
        support=_numpy(support[averaged.kept].float().mean(0) > 0.5),
        start_support=_numpy(task.support),
        starts=_numpy(averaged.aligned),
        error=_numpy(phased.error),
        final_error=_numpy(errors.fitted),
        held_out_error=_numpy(errors.held),
        kept=_numpy(averaged.kept),
        frequency=_numpy(curves["frequency"]) / common_edge(pixel, known),
        prtf=_numpy(curves["phase"]),
        prtf_corrected=_numpy(curves["corrected"]),
        prtf_modulus=_numpy(curves["modulus"]),
        fsc=_EMPTY if correlated is None else _numpy(correlated.curve),
        half_bit=_EMPTY if correlated is None else _numpy(correlated.half_bit),
        pixel=pixel,
        known=known,
        truth=_aligned_truth(measured, averaged.density),
        notes=[*measured.notes, *task.notes, *phased.notes],
        about=_about(task, measured, curves),
    )


def _about(task: Task, measured: Measurement, curves: dict[str, Any]) -> dict[str, Any]:
    """Plain words and numbers on the settings, the unit of the values and the agreement of the starts."""
    amplitude = task.amplitude[None]
    counts = measured.whole if measured.poisson is None else measured.poisson
    noise = counting_error(amplitude, task.fitted[None], counts)[0]
    return {
        "recipe": str(task.recipe),
        "constraint": task.constraint,
        "identical_starts": task.begins_alike,
        "converged_starts": curves["identical"] and not task.begins_alike,
        "counted": measured.photons,
        "counting_error": float(noise) if measured.whole or measured.poisson else None,
        "chance": curves["chance"],
        "free": 1 - float(measured.mask.float().mean()),
    }


def _error_numbers(
    task: Task, phased: Phased, averaged: Averaged, errors: _Errors, counting: float | None, finish: Finish | None
) -> dict[str, float | int | None]:
    """How well the starts, and their mean, explain the pattern; ``counting``: what photon noise alone leaves."""
    amplitude, best = task.amplitude[None], errors.best
    mean, own, typical = averaged.density[None], None, None
    if finish is not None and finish.point_spread is not None:
        own, typical = finish.point_spread[best : best + 1], finish.point_spread[averaged.kept].quantile(0.5, 0, True)
    return {
        "fourier_error/best": float(errors.fitted[best]),
        "fourier_error/lowest_of_all_starts": float(errors.fitted.min()),
        "fourier_error/median": float(errors.fitted.median()),
        "fourier_error/of_mean": float(fourier_error(mean, amplitude, task.fitted, point_spread=typical)[0]),
        "fourier_error/of_counting": counting,
        "held_out_pixels": int(task.held.sum()),
        "held_out_error/best": float(errors.held[best]),
        "r_factor/best": float(r_factor(phased.density[best : best + 1], amplitude, task.fitted, point_spread=own)[0]),
    }


def _size_and_time(task: Task, phased: Phased, inside: int) -> dict[str, float | int]:
    """Pixels of the best start's support, the oversampling per axis that follows, and what the phasing took."""
    return {
        "support/pixels": inside,
        "support/oversampling": float((task.support.numel() / max(inside, 1)) ** (1 / task.amplitude.ndim)),
        "iterations": task.recipe.iterations,
        "seconds": round(phased.seconds, 3),
        "ms_per_iteration_and_start": 1e3 * phased.seconds / task.recipe.iterations / task.starts,
    }


def agreement(task: Task, kept: Tensor, spread: Tensor | None = None) -> dict[str, Any]:
    """Both PRTF of the starts that were kept, NaN where there is one alone; ``spread`` (axes): of the blur."""
    rings = shells(task.amplitude.shape)
    blank = torch.full_like(rings.frequency, torch.nan)
    found: dict[str, Any] = {"frequency": rings.frequency, "chance": None, "crossing": None, "identical": False}
    if len(kept) < 2:
        return found | {"phase": blank, "corrected": blank, "modulus": blank}
    phases = prtf(kept, task.fitted, aligned=True)
    modulus = prtf(kept, task.fitted, "modulus", task.amplitude, aligned=True, point_spread=spread)
    return found | {
        "phase": phases.curve,
        "corrected": phases.corrected,
        "modulus": modulus.curve,
        "chance": phases.chance,
        "crossing": None if np.isnan(phases.resolution) else phases.resolution,
        "identical": phases.identical,
    }


def _crossings(
    curves: dict[str, Any], correlated: FSC | None, pixel: NDArray[np.float64], known: bool
) -> dict[str, float | None]:
    """Frequencies where the curves fall below their thresholds, None: nowhere; and the full-period resolution there.

    Shells are of equal frequency in cycles per pixel, so that the resolution along an axis is its pixel's edge over it.
    """
    found = {"prtf": curves["crossing"]}
    if correlated is not None:
        crossing = float(correlated.half_bit_crossing)
        found["fsc_half_bit"] = None if np.isnan(crossing) else crossing
    numbers: dict[str, float | None] = {"prtf/chance": curves["chance"]}
    for name, frequency in found.items():
        numbers[f"{name}/crossing"] = frequency
        if frequency and known:
            numbers |= resolutions(name, frequency, pixel)
    return numbers


def pixel_edge(measured: Measurement) -> tuple[NDArray[np.float64], bool]:
    """Edge of a density pixel along each axis, 1 / (n frequency_step), m; ones where the geometry is unknown."""
    if measured.frequency_step is None:
        return np.ones(measured.mask.ndim), False
    return 1 / (np.array(measured.mask.shape) * np.array(measured.frequency_step)), True


def _aligned_truth(measured: Measurement, density: Tensor) -> NDArray[Any] | None:
    if measured.density is None:
        return None
    truth = resized(measured.density, measured.mask.shape).to(density.device)
    if density.is_complex():
        truth = truth.to(density.dtype)
    return _numpy(align(truth[None], density)[0])


def compare(density: Tensor, truth: Tensor) -> dict[str, float]:
    """Overlap of a density with the truth, and the relative error left after the best scale; both aligned."""
    moved = alignment(density[None], truth, subpixel=True)
    overlap = float(moved.overlap[0])
    return {"truth/correlation": overlap, "truth/error": max(0.0, 1 - overlap**2) ** 0.5}


def _numpy(values: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = values.detach().cpu().numpy()
    return array
