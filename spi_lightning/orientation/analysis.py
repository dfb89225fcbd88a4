"""Analysis of an output of EMC: orientations, their evenness, their error where it is known, and matching slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.codec import load
from spi_lightning.errors import UserError
from spi_lightning.fields import ORIENTATION, PHOTON_ENERGY
from spi_lightning.io import PatternFile
from spi_lightning.io.dragonfly.output import DragonflyOutput
from spi_lightning.metrics.uniformity import Control, Uniformity, uniformity
from spi_lightning.notes import Note
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.rotations.orientations import (
    align_orientations,
    conjugate,
    multiply_quaternions,
    orientation_probability,
    sampling_step,
    slice_intensity,
)
from spi_lightning.physics.rotations.symmetry_axes import icosahedral_axes
from spi_lightning.results.orientation import ORIENTATION_FILE, Examples, OrientationResult

from .dragonfly import DragonflyInput
from .window import Window

_LOST = 60  # degrees; chance alone gives about 75 after alignment


def read_control(run: str | None) -> Control | None:
    """P_r of an earlier run on patterns known to be even, up to icosahedral symmetry; None without one."""
    if run is None:
        return None
    earlier = load(Path(run) / ORIENTATION_FILE, OrientationResult)
    if earlier.symmetry == "none":
        raise UserError(
            f"control={run} was made with symmetry=none; only with symmetry=icosahedral can runs be compared"
        )
    return Control(earlier.quaternion, earlier.probability)


def analyse(
    output: DragonflyOutput,
    written: DragonflyInput,
    symmetry: str,
    true: torch.Tensor | None,
    control: Control | None = None,
) -> tuple[OrientationResult, Uniformity, dict[str, Any]]:
    """P_r, the test of uniformity and, where they are known, the distance from the true orientations.

    With symmetry=icosahedral the axes are first found in the merged intensity, and orientations are in their frame.

    Args:
        output: Orientations and merged intensity that EMC found.
        written: Detector, radii and counts that were written for Dragonfly.
        symmetry: ``none``, or ``icosahedral`` where equivalent orientations count as one.
        true: (N, 4) unit quaternions w, x, y, z of simulated patterns; None: unknown.
        control: P_r of patterns known to be even, reference of the test; None: theory.

    Returns:
        The result without log, examples, voxel and the notes of others; the test; and numbers for metrics.json.
    """
    quaternion = torch.from_numpy(output.quaternion)
    numbers: dict[str, Any] = {"sampling_step_deg": float(np.degrees(sampling_step(quaternion)))}
    notes: list[Note] = []
    if symmetry == "icosahedral":
        quaternion, numbers["icosahedral_share"] = _in_icosahedral_axes(quaternion, output, written, notes)
    test = uniformity(quaternion.numpy(), output.weight, output.candidate, output.probability, symmetry, control)
    numbers["controlled"] = control is not None
    views = round(len(quaternion) * np.radians(numbers["sampling_step_deg"]) / (4 * np.pi))  # up to q and -q
    if test.patterns < views:
        notes.append(
            Note.warning(
                f"{test.patterns} patterns for {len(quaternion):,} orientations, which need {views} or more, one for "
                "each view; give more patterns or a smaller emc.num_div"
            )
        )
    index, probability = torch.from_numpy(output.candidate), torch.from_numpy(output.probability)
    error = None
    if true is not None:
        error, numbers["recovery"] = recovery(quaternion, output.orientation, true, symmetry)
        if symmetry == "none" and numbers["recovery"]["median_error_deg"] > _LOST:
            notes.append(
                Note.warning(
                    "found and true orientations do not agree; of a symmetric particle only symmetry=icosahedral "
                    "can be compared"
                )
            )
    middle = len(output.intensity) // 2
    result = OrientationResult(
        frame=np.arange(len(output.orientation)),
        quaternion=quaternion.numpy(),
        weight=output.weight,
        probability=orientation_probability(index, probability, len(quaternion)).numpy(),
        best=output.orientation,
        part=test.part,
        density=test.density,
        slices=np.stack([output.intensity.take(middle, axis) for axis in range(3)]),
        voxel=np.nan,
        symmetry=symmetry,
        error=error,
        notes=tuple(notes),
    )
    return result, test, numbers


def _in_icosahedral_axes(
    quaternion: torch.Tensor, output: DragonflyOutput, written: DragonflyInput, notes: list[Note]
) -> tuple[torch.Tensor, float]:
    """Orientations in the frame of the merged intensity's icosahedral axes, and the share of its variance they hold."""
    shells = torch.arange(max(2, int(written.inner)), max(3, int(written.outer)) + 1, dtype=torch.float64)
    axes = icosahedral_axes(torch.from_numpy(output.intensity), shells)
    if axes.share < 0.5:
        notes.append(
            Note.warning(
                f"only {100 * axes.share:.0f} % of the merged intensity's variance is icosahedral; symmetry="
                "icosahedral means little here"
            )
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
    output: DragonflyOutput, written: DragonflyInput, patterns: PatternFile, window: Window, count: int
) -> Examples | None:
    """Patterns from faint to bright beside the slices of the merged intensity that suit them best."""
    scale = output.per_pattern.get("scale", np.ones(len(output.orientation)))
    there = np.flatnonzero(output.orientation >= 0)
    if count < 1 or len(there) == 0:
        return None
    ranks = np.linspace(0, len(there) - 1, min(count, len(there)) + 2)[1:-1].round().astype(np.int64)
    frame = there[np.argsort(scale[there], kind="stable")[np.unique(ranks)]]
    detector = written.detector
    q = torch.from_numpy(np.ascontiguousarray(detector.q[..., ::-1]))
    quaternion = torch.from_numpy(output.quaternion[output.orientation[frame]])
    intensity = slice_intensity(torch.from_numpy(output.intensity), quaternion, q).numpy()
    expected = intensity * detector.correction / detector.correction.mean() * scale[frame][:, None, None]
    photons = window.cut(patterns.read(frame)).astype(np.float64)
    used = detector.classes == 0
    pairs = zip(photons, expected, strict=True)
    correlation = np.array([np.corrcoef(left[used], right[used])[0, 1] for left, right in pairs])
    return Examples(frame, photons, expected, detector.classes, correlation)


def voxel_edge(patterns: PatternFile, written: DragonflyInput) -> float:
    """Edge of a voxel of the merged intensity, 1/m: 1 / (wavelength * Ewald radius); NaN without a photon energy."""
    energy = patterns.geometry.get(PHOTON_ENERGY)
    if energy is None:
        return float("nan")
    return float(1 / (wavelength_from_energy(float(np.median(energy))) * written.detector.ewald_radius))
