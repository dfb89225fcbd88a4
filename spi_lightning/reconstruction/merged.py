"""Merged 3D intensity of many oriented patterns, made ready for phasing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.fft import next_fast_len

from spi_lightning.codec import load
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError, whole_number
from spi_lightning.io.dragonfly.merged import MergedIntensity, read_merged
from spi_lightning.notes import Note
from spi_lightning.physics.array import reach, resized
from spi_lightning.results.orientation import ORIENTATION_FILE, OrientationResult


@dataclass(frozen=True, repr=False)
class MergedMeasurement(Measurement):
    """Merged 3D intensity, whose density is real and positive; corners and a beam stop's hole are not measured."""

    @property
    def kind(self) -> str:
        """See Measurement."""
        return "merged"


def measure_merged(
    path: str | os.PathLike[str],
    detector: str | None = None,
    crop: int | None = None,
    geometry: Mapping[str, float | None] | None = None,
) -> MergedMeasurement:
    """Read the merged intensity of a Dragonfly output or an orientation run, and take the square root.

    The origin is the voxel that the file's definition names, M // 2 of M, and is moved by no search for symmetry.

    Args:
        path: output_NNN.h5, or the folder of a run of ``spi orient`` or Dragonfly, whose last iteration is read.
        detector: Detector file of Dragonfly; None: that of the run.
        crop: Edge of the cube about the origin that is kept, voxel; None: the smallest that holds all measured voxels
            and has a fast Fourier transform.
        geometry: ``photon_energy`` in eV, instead of that of the run; it gives lengths in m.

    Raises:
        UserError: No such output; no measured voxel; an unknown geometry; a crop that is too small.
    """
    stated = {name: value for name, value in (geometry or {}).items() if value is not None}
    if unknown := sorted(set(stated) - {"photon_energy"}):
        raise UserError(f"data.geometry.{unknown[0]} is unknown; a merged intensity takes photon_energy (eV)")
    merged = read_merged(Path(path), detector, stated.get("photon_energy"))
    step = merged.step if stated or detector is not None else _step_of_run(Path(path), merged)
    notes = [*merged.notes, *([] if step is not None else [_unknown_lengths(merged)])]
    measured = torch.from_numpy(merged.measured)
    edge = next_fast_len(2 * max(reach(measured, 3)) + 1) if crop is None else whole_number("data.crop", crop, 8)
    intensity = torch.from_numpy(merged.intensity)
    amplitude, mask = (resized(each, [edge] * 3) for each in (intensity.clamp_min(0).sqrt().float(), measured))
    lost = float(1 - amplitude.double().square().sum() / intensity.sum())
    notes += _notes(merged, mask, edge, lost)
    steps = None if step is None else (step,) * 3
    return MergedMeasurement(amplitude, mask, steps, notes=notes, counted=False, poisson=False)


def _step_of_run(path: Path, merged: MergedIntensity) -> float | None:
    """Frequency between voxels as the orientation run states it, else as the detector and config.ini give it, 1/m."""
    homes = [path] if path.is_dir() else [path.parent, path.parent.parent]
    for file in (home / ORIENTATION_FILE for home in homes):
        if file.is_file() and np.isfinite(step := load(file, OrientationResult).voxel):
            return step
    return merged.step


def _unknown_lengths(merged: MergedIntensity) -> Note:
    """Line on what is missing for lengths in m."""
    remedy = "give data.geometry.photon_energy= (eV)"
    if not merged.has_detector:
        remedy = (
            f"there is no detector file beside {merged.path.name}: give data.detector=FILE, and with it {remedy[5:]}"
        )
    return Note.of(f"lengths stay in voxels: {remedy}")


def _notes(merged: MergedIntensity, mask: torch.Tensor, edge: int, lost: float) -> list[Note]:
    """Lines on the origin, the cut, and the voxels that are free."""
    size, free = len(merged.measured), 1 - float(mask.float().mean())
    hole = _hole(mask)
    lines = [
        Note.of(
            f"{merged.path.name}: {size}³ voxels, origin at voxel {size // 2} as Dragonfly defines it; {edge}³ are "
            f"phased, of which {free:.0%} are not measured and free"
            + (f", among them a hole of radius {hole} voxels around the beam" if hole else "")
        )
    ]
    if lost > 1e-6:
        lines.append(Note.warning(f"data.crop={edge} leaves out {lost:.2%} of the merged intensity"))
    return lines


def _hole(mask: torch.Tensor) -> int:
    """Radius of the hole around q = 0: voxels from the origin to the first measured one along any axis."""
    centre = [n // 2 for n in mask.shape]
    lines = [mask[:, centre[1], centre[2]], mask[centre[0], :, centre[2]], mask[centre[0], centre[1], :]]
    ahead = [line[n:].nonzero() for line, n in zip(lines, centre, strict=True)]
    return min((int(found[0]) for found in ahead if len(found)), default=0)
