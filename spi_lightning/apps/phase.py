"""Phase one pattern: python -m spi_lightning.apps.phase data.path=FILE [phasing=...] [support=...] [start=RUN]."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import hydra
import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from spi_lightning.apps.entry import run_app
from spi_lightning.apps.laboratory import write_crystal_of
from spi_lightning.apps.phase_start import doubts, in_middle, starting_density, starting_support
from spi_lightning.apps.simulate import whole_number
from spi_lightning.apps.train import record
from spi_lightning.data.one_frame import Measurement
from spi_lightning.fields import UserError
from spi_lightning.io.cxi_image import CxiImage, write_cxi_image
from spi_lightning.methods.checkpoint import find_device
from spi_lightning.metrics.fourier_error import fourier_error
from spi_lightning.metrics.fsc import FSC, fsc
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.r_factor import r_factor
from spi_lightning.metrics.shells import shells
from spi_lightning.phasing import Averaged, Phased, align, alignment, average, hold_out, phase, read_recipe
from spi_lightning.phasing.constraints import CONSTRAINTS
from spi_lightning.physics.ambiguity import centre
from spi_lightning.reports.phasing import verdict, write_phasing_report
from spi_lightning.reports.phasing_files import PhasingFiles
from spi_lightning.tracking import METRICS, write_json

_NUMBERS = {"held_out": 0.5, "disagreement": 2.0, "support_threshold": 1.0, "least_oversampling": 100.0}  # below
_EMPTY = np.empty(0, dtype=np.float64)


@dataclass(frozen=True)
class Task:
    """What is phased and how: the pattern, the pixels to fit and to judge by, the beginning, and the recipe.

    support (spatial) bool; start (starts, spatial) or None; everything on one device.
    """

    amplitude: Tensor
    fitted: Tensor
    held: Tensor
    support: Tensor
    start: Tensor | None
    recipe: Any
    constraint: str
    starts: int
    seed: int
    notes: tuple[str, ...] = ()

    def run(self, amplitude: Tensor, title: str) -> Phased:
        """Phase some amplitudes of this pattern from all starts, with a bar that shows the error of the best."""
        with progress_of(title, self.recipe.iterations) as shown, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the notes say the same
            return phase(
                amplitude[None],
                self.fitted[None],
                self.recipe,
                self.constraint,
                support=self.support,
                starts=self.starts,
                seed=self.seed,
                start=self.start,
                progress=shown,
            )


def phase_pattern(cfg: DictConfig) -> dict[str, Any]:
    """Phase what a configuration describes; write the density, the numbers and a report.

    Args:
        cfg: conf/phase.yaml and what was laid over it.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings or files.
    """
    folder, measured = Path(cfg.folder), cast(Measurement, instantiate(cfg.data, _convert_="all"))
    task = prepare(cfg, measured)
    record(cfg)
    phased = task.run(task.amplitude, "phasing")
    averaged = centred(average(phased.density, phased.error[-1], cfg.disagreement, subpixel=task.recipe.moves_support))
    correlated = correlate_halves(task, cfg) if cfg.halves else None
    files, metrics = judge(task, measured, phased, averaged, correlated)
    files.about.update({"support": str(cfg.support), "start": str(cfg.start), "data": str(cfg.data.get("path", ""))})
    lines, numbers = write_crystal_of(folder, measured, files.density, files.support, "mean of the kept starts")
    files.notes.extend(lines)
    metrics |= numbers
    files.write(folder)
    metrics["result"] = str(write_result(files, folder / "result.cxi").name)
    write_json(folder / METRICS, metrics)
    report = write_phasing_report(folder)
    console = Console(width=None if sys.stdout.isatty() else 110)
    for note in files.notes:
        console.print(note, soft_wrap=True, markup=False)
    console.print(verdict(files, metrics), soft_wrap=True)
    console.print(f"density, support, PRTF, errors: {folder / 'result.cxi'}\nreport: {report}", soft_wrap=True)
    return metrics


def prepare(cfg: DictConfig, measured: Measurement) -> Task:
    """Check the settings and make what phasing begins with."""
    starts, seed = whole_number("starts", cfg.starts, 1), whole_number("seed", cfg.seed, 0)
    for name, below in _NUMBERS.items():
        if not isinstance(cfg[name], int | float) or not 0 <= cfg[name] < below:
            raise UserError(f"{name}={cfg[name]}: give a number from 0 to {below:g}")
    if not isinstance(cfg.halves, bool):
        raise UserError(f"halves={cfg.halves}: give true or false")
    recipe = cfg.phasing.recipe
    recipe = read_recipe(recipe if isinstance(recipe, str) else cast(list[Any], OmegaConf.to_container(recipe)))
    constraint, ndim = str(cfg.phasing.constraint), measured.mask.ndim
    if constraint not in CONSTRAINTS:
        raise UserError(f"phasing.constraint={constraint!r}: known are {', '.join(CONSTRAINTS)}")
    device = find_device(cfg.device)
    fitted, held = measured.mask, torch.zeros_like(measured.mask)
    if cfg.held_out:
        fitted, held = hold_out(measured.mask, cfg.held_out, seed, ndim, pairs=constraint != "complex")
    settings = cfg.copy()
    settings.starts = starts
    start = starting_density(settings, measured)
    return Task(
        measured.fourier_amplitude.to(device),
        fitted.to(device),
        held.to(device),
        starting_support(cfg, measured).to(device),
        None if start is None else start.to(device),
        recipe,
        constraint,
        starts,
        seed,
        () if start is None else tuple(doubts(str(cfg.start), start[0], measured)),
    )


def centred(averaged: Averaged) -> Averaged:
    """Everything rolled by whole pixels so that the centre of mass of the average lies at n // 2."""
    ndim = averaged.density.ndim
    weight = averaged.density.abs()
    weight = torch.where(weight > 0.1 * weight.max(), weight, 0)
    correlation = torch.fft.ifftn(torch.fft.fftn(centre(weight, ndim)) * torch.fft.fftn(weight).conj()).real
    shift = tuple(int(place) for place in torch.unravel_index(correlation.argmax(), correlation.shape))
    axes = tuple(range(-ndim, 0))
    density, aligned = (torch.roll(each, shift, axes) for each in (averaged.density, averaged.aligned))
    return replace(averaged, density=density, aligned=aligned)


def correlate_halves(task: Task, cfg: DictConfig) -> FSC:
    """Phase two binomial halves of the photons and correlate their averages shell by shell."""
    generator = torch.Generator().manual_seed(task.seed)
    photons = task.amplitude.square().cpu()
    if float((photons - photons.round()).abs().max()) > 1e-2 * max(1.0, float(photons.max())) ** 0.5:
        raise UserError("halves=true thins counts; this pattern holds no whole photons, so leave halves=false.")
    first = torch.binomial(photons.round(), torch.full_like(photons, 0.5), generator=generator)
    means = []
    for number, half in enumerate((first, photons.round() - first)):
        phased = task.run(half.clamp_min(0).sqrt().to(task.amplitude), f"half {number + 1}")
        means.append(average(phased.density, phased.error[-1], cfg.disagreement, subpixel=True).density)
    second = align(means[1][None], means[0], subpixel=True)[0]
    ratio = task.support.numel() / max(1, int(task.support.sum()))
    return fsc(means[0], second, second.ndim, oversampling=ratio ** (1 / second.ndim))


def judge(
    task: Task, measured: Measurement, phased: Phased, averaged: Averaged, correlated: FSC | None
) -> tuple[PhasingFiles, dict[str, Any]]:
    """Everything that is said of the starts, as files for the page and as numbers."""
    amplitude, ndim = task.amplitude[None], task.amplitude.ndim
    final = fourier_error(phased.density, amplitude, task.fitted)
    held = (
        fourier_error(phased.density, amplitude, task.held)
        if bool(task.held.any())
        else final.new_full(final.shape, np.nan)
    )
    best = int(final.argmin())
    kept = averaged.aligned[averaged.kept]
    pixel, known = pixel_edge(measured)
    curves = agreement(task, kept)
    support = alignment(phased.support.to(phased.density.dtype), averaged.aligned.abs().mean(0)).density.abs() > 0.5
    files = PhasingFiles(
        intensity=_numpy(task.amplitude.square()),
        mask=_numpy(measured.mask),
        held_out=_numpy(task.held),
        density=_numpy(averaged.density),
        support=_numpy(support[averaged.kept].float().mean(0) > 0.5),
        start_support=_numpy(task.support),
        starts=_numpy(averaged.aligned),
        error=_numpy(phased.error),
        final_error=_numpy(final),
        held_out_error=_numpy(held),
        kept=_numpy(averaged.kept),
        frequency=_numpy(curves["frequency"]) / float(pixel.mean()),
        prtf=_numpy(curves["phase"]),
        prtf_modulus=_numpy(curves["modulus"]),
        fsc=_EMPTY if correlated is None else _numpy(correlated.curve),
        half_bit=_EMPTY if correlated is None else _numpy(correlated.half_bit),
        pixel=pixel,
        known=known,
        truth=_aligned_truth(measured, averaged.density),
        notes=[*measured.notes, *task.notes, *phased.notes],
        about={"recipe": str(task.recipe), "constraint": task.constraint, "identical_starts": curves["identical"]},
    )
    inside = int(phased.support[best].sum())
    numbers: dict[str, Any] = {
        "starts": task.starts,
        "kept": int(averaged.kept.sum()),
        "fourier_error/best": float(final[best]),
        "fourier_error/median": float(final.median()),
        "fourier_error/of_mean": float(fourier_error(averaged.density[None], amplitude, task.fitted)[0]),
        "held_out_pixels": int(task.held.sum()),
        "held_out_error/best": float(held[best]),
        "r_factor/best": float(r_factor(phased.density[best : best + 1], amplitude, task.fitted)[0]),
        "support/pixels": inside,
        "support/oversampling": float((task.support.numel() / max(inside, 1)) ** (1 / ndim)),
        "iterations": task.recipe.iterations,
        "seconds": round(phased.seconds, 3),
        "ms_per_iteration_and_start": 1e3 * phased.seconds / task.recipe.iterations / task.starts,
    }
    numbers |= _crossings(curves, correlated, float(pixel.mean()), known)
    if files.truth is not None:
        numbers |= compare(averaged.density, torch.from_numpy(files.truth).to(averaged.density))
    return files, {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}


def agreement(task: Task, kept: Tensor) -> dict[str, Any]:
    """Both PRTF of the starts that were kept, NaN where there is one alone."""
    rings = shells(task.amplitude.shape)
    blank = torch.full_like(rings.frequency, torch.nan)
    if len(kept) < 2:
        return {"frequency": rings.frequency, "phase": blank, "modulus": blank, "crossing": None, "identical": False}
    phases = prtf(kept, task.fitted, aligned=True)
    modulus = prtf(kept, task.fitted, "modulus", task.amplitude, aligned=True)
    below = bool((phases.curve < 1 / np.e).any())
    return {
        "frequency": rings.frequency,
        "phase": phases.curve,
        "modulus": modulus.curve,
        "crossing": phases.resolution if below else None,
        "identical": phases.identical,
    }


def _crossings(curves: dict[str, Any], correlated: FSC | None, pixel: float, known: bool) -> dict[str, float]:
    """Frequencies where the curves fall below their thresholds, and the full-period resolution there."""
    found = {"prtf": curves["crossing"]}
    if correlated is not None:
        crossing = float(correlated.half_bit_crossing)
        found["fsc_half_bit"] = crossing if crossing < 0.499 else None
    numbers = {}
    for name, frequency in found.items():
        if frequency:
            numbers[f"{name}/crossing"] = float(frequency)
            if known:
                numbers[f"{name}/resolution_nm"] = 1e9 * pixel / float(frequency)
    return numbers


def pixel_edge(measured: Measurement) -> tuple[NDArray[np.float64], bool]:
    """Edge of a density pixel along each axis, 1 / (n frequency_step), m; ones where the geometry is unknown."""
    if measured.frequency_step is None:
        return np.ones(measured.mask.ndim), False
    return 1 / (np.array(measured.mask.shape) * np.array(measured.frequency_step)), True


def _aligned_truth(measured: Measurement, density: Tensor) -> NDArray[Any] | None:
    if measured.density is None:
        return None
    truth = in_middle(measured.density, measured.mask.shape).to(density.device)
    if density.is_complex():
        truth = truth.to(density.dtype)
    return _numpy(align(truth[None], density)[0])


def compare(density: Tensor, truth: Tensor) -> dict[str, float]:
    """Overlap of a density with the truth, and the relative error left after the best scale; both aligned."""
    moved = alignment(density[None], truth, subpixel=True)
    overlap = float(moved.overlap[0])
    return {"truth/correlation": overlap, "truth/error": max(0.0, 1 - overlap**2) ** 0.5}


def write_result(files: PhasingFiles, path: Path) -> Path:
    """The density with its support, PRTF and errors as a CXI image that other tools open."""
    names = ("frequency", "prtf", "prtf_modulus", "fsc", "half_bit", "error", "final_error", "held_out_error", "kept")
    results = {name: getattr(files, name) for name in names if getattr(files, name).size}
    results["starts"] = files.starts
    notes = {name: str(value) for name, value in files.about.items()}
    pixel = list(files.pixel) if files.known else None
    return write_cxi_image(path, CxiImage(files.density, files.support, pixel, results, notes))


@contextmanager
def progress_of(title: str, iterations: int) -> Iterator[Callable[[int, Tensor], None]]:
    """A bar with the iteration and the relative Fourier error of the best start."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(title, total=iterations)

        def shown(iteration: int, error: Tensor) -> None:
            if iteration % 20 == 0 or iteration == iterations:
                bars.update(bar, completed=iteration, description=f"{title}, error {float(error.min()):.2e}")

        yield shown


def _numpy(values: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = values.detach().cpu().numpy()
    return array


@hydra.main(version_base="1.3", config_path=str(Path(__file__).parents[2] / "conf"), config_name="phase")
def main(cfg: DictConfig) -> None:
    """Phase as configured; Ctrl-C leaves nothing half-written."""
    try:
        phase_pattern(cfg)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def as_text(arguments: Sequence[str]) -> list[str]:
    """Command line in which Hydra takes a recipe as text, whatever brackets it holds."""
    name = "phasing.recipe="
    plain = [word.removeprefix(name) if word.startswith(name) else None for word in arguments]
    return [
        word if recipe is None or recipe.startswith(("'", '"', "[")) else f'{name}"{recipe}"'
        for word, recipe in zip(arguments, plain, strict=True)
    ]


def start() -> None:
    """The app as the command line calls it."""
    sys.argv = as_text(sys.argv)
    run_app(main)


if __name__ == "__main__":
    start()
