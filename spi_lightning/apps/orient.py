"""From a selection to orientations with Dragonfly: python -m spi_lightning.apps.orient data.path=FILE|RUN [...]."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import hydra
import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from spi_lightning.apps.dragonfly_input import DragonflyInput, write_input
from spi_lightning.apps.dragonfly_run import find_dragonfly, run_dragonfly
from spi_lightning.apps.dragonfly_window import Window, find_window, open_source
from spi_lightning.apps.entry import run_app
from spi_lightning.apps.simulate import whole_number
from spi_lightning.apps.train import record
from spi_lightning.fields import ORIENTATION, PHOTON_ENERGY, UserError
from spi_lightning.io import PatternFile, PatternKeys
from spi_lightning.io.dragonfly import DragonflyOutput, read_log, read_output
from spi_lightning.metrics.uniformity import Control, Uniformity, uniformity
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.orientation import (
    align_orientations,
    conjugate,
    orientation_probability,
    sampling_step,
    slice_intensity,
    symmetry_group,
)
from spi_lightning.physics.rotation import multiply_quaternions
from spi_lightning.physics.symmetry_axes import icosahedral_axes
from spi_lightning.reports.orientation import write_orientation_report
from spi_lightning.reports.orientation_evenness import verdict
from spi_lightning.reports.orientation_files import Examples, OrientationFiles
from spi_lightning.tracking import METRICS, write_json

_LOST = 60  # degrees; chance alone gives about 75 after alignment


def orient(cfg: DictConfig) -> dict[str, Any]:
    """Give patterns to Dragonfly, read what it found, test whether orientations are even, and report.

    Args:
        cfg: conf/orient.yaml and what was laid over it.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings or files; Dragonfly absent or failing.
    """
    folder, symmetry = Path(cfg.folder), str(cfg.symmetry)
    symmetry_group(symmetry)
    top, iterations = whole_number("top", cfg.top, 1), whole_number("iterations", cfg.iterations, 1)
    threads = None if cfg.threads is None else whole_number("threads", cfg.threads, 1)
    if cfg.keep not in ("last", "all"):
        raise UserError(f"keep={cfg.keep} is unknown: choose last or all")
    program = find_dragonfly(cfg.dragonfly) if cfg.output is None else None
    if cfg.data.path is None:
        raise UserError(
            "data.path has no value: add data.path=FILE, or the folder of an evaluation run, to the command."
        )
    keys = PatternKeys(**cfg.data["keys"])
    patterns = open_source(str(cfg.data.path), keys, cfg.data.mask_convention, cfg.data.adu_per_photon)
    window = find_window(patterns, cfg.detector, cfg.crop, cfg.bin)
    record(cfg)
    emc = cast(dict[str, Any], OmegaConf.to_container(cfg.emc, resolve=True))
    given = write_input(folder, patterns, window, cfg.rings, emc, cfg.start)
    if program is not None:
        run_dragonfly(program, folder, iterations, threads, cfg.keep)
    source = folder if cfg.output is None else Path(cfg.output)
    output = read_output(source, top, cfg.quaternions)
    if len(output.orientation) != len(patterns):
        raise UserError(f"{output.path}: is of {len(output.orientation)} patterns, {patterns.path} has {len(patterns)}")
    if not np.isfinite(output.intensity).all():
        raise UserError(f"{output.path}: the merged intensity is not finite; start with a smaller emc.beta_factor")
    files, test, numbers = analyse(output, given, symmetry, true_orientations(patterns), read_control(cfg.control))
    log = read_log((folder if cfg.output is None else output.path.parent.parent) / "EMC.log")
    examples = match_examples(output, given, patterns, window, cfg.examples)
    notes = [*patterns.notes, *output.notes, *files.notes]
    replace(files, log=log, examples=examples, voxel=voxel_edge(patterns, given), notes=notes).write(folder)
    metrics = {"patterns": test.patterns, "symmetry": symmetry, "orientations": len(output.quaternion), **numbers}
    metrics |= {"iteration": output.iteration, "photons_judged": given.photons, "uniformity": summary(test)}
    write_json(folder / METRICS, metrics)
    show(metrics, write_orientation_report(folder), notes)
    return metrics


def read_control(run: str | None) -> Control | None:
    """P_r of an earlier run on patterns known to be even, up to icosahedral symmetry; None without one."""
    if run is None:
        return None
    files = OrientationFiles.read(Path(run))
    if files.symmetry == "none":
        raise UserError(
            f"control={run} was made with symmetry=none; only with symmetry=icosahedral can runs be compared"
        )
    return Control(files.quaternion, files.probability)


def analyse(
    output: DragonflyOutput,
    given: DragonflyInput,
    symmetry: str,
    true: torch.Tensor | None,
    control: Control | None = None,
) -> tuple[OrientationFiles, Uniformity, dict[str, Any]]:
    """P_r, the test of uniformity and, where they are known, the distance from the true orientations.

    With symmetry=icosahedral the axes are first found in the merged intensity, and orientations are given in their
    frame.
    """
    quaternion = torch.from_numpy(output.quaternion)
    numbers: dict[str, Any] = {"sampling_step_deg": float(np.degrees(sampling_step(quaternion)))}
    notes: list[str] = []
    if symmetry == "icosahedral":
        quaternion, numbers["icosahedral_share"] = _in_icosahedral_axes(quaternion, output, given, notes)
    test = uniformity(quaternion.numpy(), output.weight, output.place, output.probability, symmetry, control)
    numbers["controlled"] = control is not None
    place, probability = torch.from_numpy(output.place), torch.from_numpy(output.probability)
    error = None
    if true is not None:
        error, numbers["recovery"] = recovery(quaternion, output.orientation, true, symmetry)
        if symmetry == "none" and numbers["recovery"]["median_error_deg"] > _LOST:
            notes.append(
                "WARNING: found and true orientations do not agree; of a symmetric particle only symmetry=icosahedral "
                "can be compared"
            )
    middle = len(output.intensity) // 2
    files = OrientationFiles(
        frame=np.arange(len(output.orientation)),
        quaternion=quaternion.numpy(),
        weight=output.weight,
        probability=orientation_probability(place, probability, len(quaternion)).numpy(),
        best=output.orientation,
        part=test.part,
        density=test.density,
        slices=np.stack([output.intensity.take(middle, axis) for axis in range(3)]),
        voxel=np.nan,
        symmetry=symmetry,
        error=error,
        notes=notes,
    )
    return files, test, numbers


def _in_icosahedral_axes(
    quaternion: torch.Tensor, output: DragonflyOutput, given: DragonflyInput, notes: list[str]
) -> tuple[torch.Tensor, float]:
    """Orientations in the frame of the merged intensity's icosahedral axes, and the share of its variance they hold."""
    shells = torch.arange(max(2, int(given.inner)), max(3, int(given.outer)) + 1, dtype=torch.float64)
    axes = icosahedral_axes(torch.from_numpy(output.intensity), shells)
    if axes.share < 0.5:
        notes.append(
            f"WARNING: only {100 * axes.share:.0f} % of the merged intensity's variance is icosahedral; symmetry="
            "icosahedral means little here"
        )
    return multiply_quaternions(quaternion, conjugate(axes.rotation).expand_as(quaternion)), axes.share


def true_orientations(patterns: PatternFile) -> torch.Tensor | None:
    """(N, 4) float64 unit quaternions of simulated patterns; None where they are not known."""
    stored = patterns.labels.get(ORIENTATION)
    if stored is None or not np.isfinite(stored).all():
        return None
    true = torch.from_numpy(np.asarray(stored, dtype=np.float64))
    return torch.nn.functional.normalize(true, dim=1)


def recovery(
    quaternion: torch.Tensor, best: NDArray[np.int64], true: torch.Tensor, symmetry: str
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Angles between found and true orientations, NaN for patterns without one, and their summary in degrees."""
    there = torch.from_numpy(np.flatnonzero(best >= 0))
    found = quaternion[torch.from_numpy(best)[there]]
    loose, exact = (align_orientations(found, true[there], symmetry, friedel).error for friedel in (True, False))
    error = np.full(len(best), np.nan)
    error[there.numpy()] = loose.numpy()
    degrees, exactly = np.degrees(loose.numpy()), np.degrees(exact.numpy())
    return error, {
        "median_error_deg": float(np.median(degrees)),
        "error_90_deg": float(np.quantile(degrees, 0.9)),
        "median_error_exact_deg": float(np.median(exactly)),
    }


def match_examples(
    output: DragonflyOutput, given: DragonflyInput, patterns: PatternFile, window: Window, count: int
) -> Examples | None:
    """Patterns from faint to bright beside the slices of the merged intensity that suit them best."""
    scale = output.per_pattern.get("scale", np.ones(len(output.orientation)))
    there = np.flatnonzero(output.orientation >= 0)
    if count < 1 or len(there) == 0:
        return None
    ranks = np.linspace(0, len(there) - 1, min(count, len(there)) + 2)[1:-1].round().astype(np.int64)
    frame = there[np.argsort(scale[there], kind="stable")[np.unique(ranks)]]
    detector = given.detector
    q = torch.from_numpy(np.ascontiguousarray(detector.q[..., ::-1]))
    quaternion = torch.from_numpy(output.quaternion[output.orientation[frame]])
    seen = slice_intensity(torch.from_numpy(output.intensity), quaternion, q).numpy()
    expected = seen * detector.correction / detector.correction.mean() * scale[frame][:, None, None]
    photons = window.cut(patterns.read(frame)).astype(np.float64)
    judged = detector.classes == 0
    pairs = zip(photons, expected, strict=True)
    correlation = np.array([np.corrcoef(left[judged], right[judged])[0, 1] for left, right in pairs])
    return Examples(frame, photons, expected, detector.classes, correlation)


def voxel_edge(patterns: PatternFile, given: DragonflyInput) -> float:
    """Edge of a voxel of the merged intensity, 1/m: 1 / (wavelength * Ewald radius); NaN without a photon energy."""
    energy = patterns.geometry.get(PHOTON_ENERGY)
    if energy is None:
        return float("nan")
    return float(1 / (wavelength_from_energy(float(np.median(energy))) * given.detector.ewald_radius))


def summary(test: Uniformity) -> dict[str, Any]:
    """The numbers of a test, without its arrays."""
    return {name: value for name, value in vars(test).items() if not isinstance(value, np.ndarray)}


def show(metrics: Mapping[str, Any], report: Path, notes: list[str]) -> None:
    """Print what was found, what to beware of, and where the page lies."""
    console = Console()
    if "recovery" in metrics:
        told = metrics["recovery"]
        console.print(
            f"orientations recovered to {told['median_error_deg']:.2f}° (median), 90 % to {told['error_90_deg']:.2f}°; "
            f"sampling step {metrics['sampling_step_deg']:.2f}°",
            soft_wrap=True,
        )
    console.print(verdict(dict(metrics)), soft_wrap=True)
    for note in notes:
        if note.startswith("WARNING"):
            console.print(note, soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)


@hydra.main(version_base="1.3", config_path=str(Path(__file__).parents[2] / "conf"), config_name="orient")
def main(cfg: DictConfig) -> None:
    """Orient as configured; Ctrl-C stops Dragonfly too."""
    try:
        orient(cfg)
    except KeyboardInterrupt:
        print(f"stopped; what Dragonfly had written is in {cfg.folder}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run_app(main)
