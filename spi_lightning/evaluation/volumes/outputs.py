"""Ensembles as files that other programs open: CXI, VTI (ParaView), MRC (ChimeraX) and NPZ, a folder per method.

Those of a measured scan are in the frame of its detector, whose axes are not perpendicular; with the geometry, the
crystal is also written in the laboratory frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.io.volumes.cxi_image import CxiImage, write_cxi_image
from spi_lightning.io.volumes.mrc import write_mrc
from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.io.volumes.vti import write_vti
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.laboratory import DETECTOR_FRAME
from spi_lightning.reconstruction.laboratory import NAME, write_in_laboratory

from .comparison import Comparison
from .ensemble import Ensemble

_INSIDE = 0.1  # share of the largest amplitude above which a voxel is the particle's
_ANGSTROM = 1e-10


def write_outputs(folder: Path, compared: Comparison) -> list[Note]:
    """Write ``densities/METHOD/PATTERN.{cxi,vti,mrc,npz}``, and ``PATTERN_laboratory`` where the geometry is known.

    Without the edges of a voxel VTI counts in voxels, and MRC takes a voxel as 1 angstrom.

    Args:
        folder: Folder of the run.
        compared: Comparison whose first patterns, as many as its settings say, are written.

    Returns:
        A note on the crystals in the laboratory frame, and one for each that could not be turned.

    Raises:
        UserError: A file cannot be written.
    """
    notes: list[Note] = []
    patterns = compared.question.patterns
    for number, ensembles in enumerate(compared.ensembles[: compared.question.settings.outputs]):
        for method, ensemble in zip(compared.methods, ensembles, strict=True):
            into = folder / "densities" / _plain(method.name)
            into.mkdir(parents=True, exist_ok=True)
            stem = into / _plain(patterns.names[number])
            _write(stem, ensemble, patterns, method.name)
            notes += _in_laboratory(stem, ensemble, patterns, number, method.name)
    return list(dict.fromkeys(notes))


def _in_laboratory(stem: Path, ensemble: Ensemble, patterns: VolumePatterns, number: int, method: str) -> list[Note]:
    """Write the crystal beside its density; a note on it, none where the geometry is not known."""
    axes = patterns.axes[number] if patterns.axes else None
    if axes is None:
        return []
    mean = ensemble.mean.to(torch.complex64)
    support = mean.abs() > _INSIDE * mean.abs().max()
    title = f"{method}, {patterns.names[number]}, mean of {ensemble.kept} of {ensemble.runs} runs"
    crystal, refusal = write_in_laboratory(
        stem.with_name(f"{stem.name}_{NAME}"), mean.numpy(), support.numpy(), axes, title
    )
    files = f"densities/METHOD/PATTERN_{NAME}.cxi, .vti, .mrc, .npz"
    where = f"in the laboratory frame: {files}, with displacement and strain along Q"
    return [Note.of(where) if crystal is not None else Note.of(refusal, title)]


def _write(stem: Path, ensemble: Ensemble, patterns: VolumePatterns, method: str) -> None:
    top = ensemble.mean.abs().max().clamp_min(1e-30)
    mean, best = ((each / top).to(torch.complex64).numpy() for each in (ensemble.mean, ensemble.best))
    deviation = (ensemble.deviation / top).float().numpy()
    amplitude, voxel = np.abs(mean), patterns.voxel
    support = amplitude > _INSIDE
    results: dict[str, Any] = {"deviation": deviation, "best": best}
    if ensemble.prtf is not None:
        curve = ensemble.prtf
        results |= {"frequency": curve.frequency.numpy(), "prtf": curve.curve.numpy()}
        results |= {"prtf_corrected": curve.corrected.numpy(), "prtf_chance": np.asarray(curve.chance)}
    if ensemble.fsc is not None:
        results |= {"fsc": ensemble.fsc.curve.numpy(), "half_bit": ensemble.fsc.half_bit.numpy()}
    frame = {"frame": DETECTOR_FRAME} if patterns.kind == "measured" else {}
    notes = frame | {
        "method": method,
        "ensemble": f"mean of {ensemble.kept} of {ensemble.runs} runs, largest amplitude 1",
    }
    write_cxi_image(stem.with_suffix(".cxi"), CxiImage(mean, support, voxel, results, notes))
    arrays = {
        "amplitude": amplitude,
        "phase_rad": np.where(support, np.angle(mean), 0).astype(np.float32),
        "deviation": deviation,
    }
    spacing = 1.0 if voxel is None else np.asarray(voxel) * 1e9
    unit = {"length_unit": "voxel" if voxel is None else "nm"}
    write_vti(stem.with_suffix(".vti"), arrays, spacing, notes=notes | unit)
    edges = _ANGSTROM if voxel is None else voxel
    write_mrc(stem.with_suffix(".mrc"), amplitude, edges, f"|density|, {method}")
    known = {} if voxel is None else {"voxel_m": np.asarray(voxel)}
    write_npz(stem.with_suffix(".npz"), {"density": mean, "best": best, "deviation": deviation, **known, **frame})


def _plain(name: str) -> str:
    """A name that is a single part of a path."""
    kept = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in name)
    return kept or "density"
