"""The iterations of EMC in a folder: photons in, output_NNN.h5 and EMC.log after each, as Dragonfly writes them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import TimeElapsedColumn

from spi_lightning.fingerprint import fingerprint
from spi_lightning.io.dragonfly.detector import Detector
from spi_lightning.io.dragonfly.output import LOG_COLUMNS, read_log
from spi_lightning.physics.rotations.sampling import rotation_samples
from spi_lightning.progress import ProgressBar

from .checkpoint import LOG, last_checkpoint, write_checkpoint
from .interpolation import Interpolation
from .iteration import EmcProblem, EmcState, EmcStep, first_state, iterate
from .photons import photon_matrix
from .settings import EmcSettings

Columns = dict[str, NDArray[np.float64]]
_LAST_BETA: Final = 1.0  # beta from which a run may stop


@dataclass(frozen=True)
class EmcInput:
    """Patterns and detector, as they are written for Dragonfly.

    Attributes:
        counts: (N, H W) counts, 0 in pixels that are not used.
        detector: Geometry and classes of pixels: 0 for orientations and merging, 1 for merging only, 2 not used.
        size: Edge of the intensity, voxel.
    """

    counts: NDArray[np.int32]
    detector: Detector
    size: int

    def mean(self) -> NDArray[np.float64]:
        """Mean pattern (H, W)."""
        return np.asarray(self.counts.mean(axis=0, dtype=np.float64).reshape(self.detector.shape))


@dataclass(frozen=True)
class EmcRun:
    """How EMC runs.

    Attributes:
        settings: Settings of the algorithm.
        iterations: Greatest number of iterations.
        tolerance: Change of the mean log-likelihood of a pattern, nat, below which a run stops, once beta is 1.
        keep: ``last`` keeps the output of the last iteration, ``all`` those of all.
        device: Device of the computation.
        memory: Bytes that probabilities may take; patterns are taken in blocks that fit.
    """

    settings: EmcSettings
    iterations: int
    tolerance: float
    keep: str
    device: torch.device
    memory: float


def emc_problem(source: EmcInput, run: EmcRun) -> EmcProblem:
    """The problem on a device: pixels that determine orientations first, patterns in blocks that fit into memory."""
    classes = source.detector.classes.ravel()
    pixels = np.concatenate([np.flatnonzero(classes == 0), np.flatnonzero(classes == 1)])
    orienting = int((classes == 0).sum())
    q = source.detector.q.reshape(-1, 3)[pixels, ::-1].copy()
    correction = source.detector.correction / source.detector.correction.mean()
    samples = rotation_samples(run.settings.num_div, run.settings.point_group)
    at_once = max(1, int(run.memory / (4 * len(samples))))
    counts = torch.from_numpy(np.ascontiguousarray(source.counts[:, pixels]))
    return EmcProblem(
        tuple(photon_matrix(block, orienting, run.device) for block in torch.split(counts, at_once)),
        Interpolation(torch.from_numpy(q).to(run.device, torch.float32), source.size),
        torch.from_numpy(correction.ravel()[pixels]).to(run.device, torch.float32),
        orienting,
        samples,
        bool(run.settings.need_scaling),
        bool(run.settings.friedel),
    )


def run_emc(folder: Path, source: EmcInput, guess: NDArray[np.float64], run: EmcRun, title: str = "EMC") -> float:
    """Iterate from a first guess, or from the last output in the folder that these patterns and settings made.

    Args:
        folder: Gets data/output_NNN.h5 and EMC.log after each iteration.
        source: Patterns and detector.
        guess: (M, M, M) first intensity, ordered z, y, x.
        run: How EMC runs.
        title: Words before the progress bar.

    Returns:
        Mean log-likelihood of the patterns in the last iteration.
    """
    key = fingerprint(source.counts, source.detector.q, source.detector.classes, run.settings, guess)
    problem = emc_problem(source, run)
    found, log = last_checkpoint(folder, key), read_log(folder / LOG)
    if found and len(log["iteration"]) < found.iteration:
        found = None
    log = {name: values[: found.iteration] for name, values in log.items()} if found else {}
    state = found.state(run.device) if found else first_state(problem, torch.from_numpy(guess).to(problem.correction))
    done = found.iteration if found else 0
    with ProgressBar(TimeElapsedColumn(), always=True) as progress:
        task = progress.add_task(title, total=run.iterations, completed=done)
        while done < run.iterations and not _has_converged(log, run.tolerance):
            state, log = _one(folder, problem, state, log, done + 1, run, key)
            done += 1
            words = f"{title}, mutual information {log['mutual_information'][-1]:.2f} nat"
            progress.update(task, completed=done, description=words)
        progress.update(task, total=done)
    return float(log["log_likelihood"][-1])


def _one(
    folder: Path, problem: EmcProblem, state: EmcState, log: Columns, number: int, run: EmcRun, key: str
) -> tuple[EmcState, Columns]:
    """One iteration with its output and its line of the log."""
    started = time.monotonic()
    photons = problem.photons()
    beta = torch.from_numpy(run.settings.exponents(number, photons.cpu().numpy())).to(photons)
    step = iterate(problem, state, beta, number == 1, run.settings.alpha)
    row = _row(number, time.monotonic() - started, step, len(problem.samples), float(beta.mean()))
    log = {name: np.append(log.get(name, ()), value) for name, value in zip(LOG_COLUMNS, row, strict=True)}
    write_checkpoint(folder, number, step, problem.samples, run.settings, key, run.keep, log)
    return step.state, read_log(folder / LOG)  # with the digits that a resumed run reads


def _row(number: int, seconds: float, step: EmcStep, rotations: int, beta: float) -> tuple[float, ...]:
    """Values of LOG_COLUMNS."""
    information, likelihood = float(step.information.mean()), float(step.likelihood.mean())
    return number, seconds, step.change, information, likelihood, rotations, beta


def _has_converged(log: Columns, tolerance: float) -> bool:
    """Whether the log-likelihood no longer changes in two iterations of beta = 1."""
    if not log or len(log["beta"]) < 2 or log["beta"][-2] < _LAST_BETA:
        return False
    return bool(abs(log["log_likelihood"][-1] - log["log_likelihood"][-2]) < tolerance)
