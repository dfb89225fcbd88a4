"""Orientations of patterns and their merged intensity, with the test whether the orientations are even."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.io.dragonfly.output import DragonflyOutput, read_log, read_output
from spi_lightning.metrics.uniformity import Uniformity
from spi_lightning.results.orientation import OrientationResult

from .analysis import analyse, match_examples, read_control, true_orientations, voxel_edge
from .dragonfly import LOG, find_dragonfly, run_dragonfly, write_input
from .native import run_native
from .settings import OrientationSettings
from .window import Window, find_window


@dataclass(frozen=True)
class OrientationProblem:
    """Patterns to be oriented, the square of pixels that is used, and settings.

    Attributes:
        patterns: File of single hits, or a selection of it.
        settings: Settings of window, rings and Dragonfly.
        window: Square around the beam.
        program: Path of Dragonfly; None: the EMC of this package, or an earlier output is read.
    """

    patterns: PatternFile
    settings: OrientationSettings
    window: Window
    program: str | None


def prepare(patterns: PatternFile, settings: OrientationSettings) -> OrientationProblem:
    """Find Dragonfly, and the square around the beam that is used.

    Raises:
        UserError: Dragonfly is absent; geometry that is unknown or does not fit.
    """
    wanted = settings.dragonfly is not None and settings.output is None
    program = find_dragonfly(str(settings.dragonfly)) if wanted else None
    window = find_window(patterns, settings.detector, settings.crop, settings.bin)
    return OrientationProblem(patterns, settings, window, program)


def orient(
    patterns: PatternFile, folder: str | Path, settings: OrientationSettings | None = None
) -> tuple[OrientationResult, dict[str, Any]]:
    """Orient patterns and test whether their orientations are even.

    Args:
        patterns: Single hits, see window.open_source and io.open_patterns.
        folder: Folder for Dragonfly's files, made if it is not there.
        settings: Settings of window, rings and Dragonfly; None: the defaults.

    Returns:
        Orientations, probabilities and slices of the merged intensity, and the numbers of metrics.json.

    Raises:
        UserError: Dragonfly is absent or fails; geometry that is unknown or does not fit; an output of other patterns.
    """
    return solve(prepare(patterns, settings or OrientationSettings()), Path(folder))


def solve(problem: OrientationProblem, folder: Path) -> tuple[OrientationResult, dict[str, Any]]:
    """Write Dragonfly's input into a folder, run EMC there or read an earlier output, and analyse what it found."""
    patterns, settings = problem.patterns, problem.settings
    written = write_input(folder, patterns, problem.window, settings.rings, settings.emc, settings.start)
    if problem.program is not None:
        run_dragonfly(problem.program, folder, settings.iterations, settings.threads, settings.keep)
    further = run_native(folder, written, settings) if problem.program is None and settings.output is None else {}
    output = _output(problem, folder)
    control = read_control(settings.control)
    result, test, numbers = analyse(output, written, settings.symmetry, true_orientations(patterns), control)
    result = replace(
        result,
        log=read_log((folder if settings.output is None else output.path.parent.parent) / LOG),
        examples=match_examples(output, written, patterns, problem.window, settings.examples),
        voxel=voxel_edge(patterns, written),
        notes=(*patterns.notes, *output.notes, *result.notes),
        data=str(patterns.path),
    )
    metrics = {"patterns": test.patterns, "symmetry": settings.symmetry, "orientations": len(output.quaternion)}
    metrics |= {**numbers, "iteration": output.iteration, "photons_judged": written.photons}
    return result, metrics | further | {"uniformity": summary(test)}


def _output(problem: OrientationProblem, folder: Path) -> DragonflyOutput:
    """Output of Dragonfly for these patterns. Raises UserError for an output of others, or one that diverged."""
    settings, patterns = problem.settings, problem.patterns
    source = folder if settings.output is None else Path(settings.output)
    output = read_output(source, settings.top, settings.quaternions)
    if len(output.orientation) != len(patterns):
        raise UserError(f"{output.path}: is of {len(output.orientation)} patterns, {patterns.path} has {len(patterns)}")
    if not np.isfinite(output.intensity).all():
        raise UserError(f"{output.path}: the merged intensity is not finite; start with a smaller emc.beta_factor")
    return output


def summary(test: Uniformity) -> dict[str, Any]:
    """The scalars of a test by name, without its arrays."""
    return {name: value for name, value in vars(test).items() if not isinstance(value, np.ndarray)}
