"""One pattern made ready for phasing: beam in the middle, binned, its Fourier amplitude and what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DENSITY, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io import PatternFile, PatternKeys, open_patterns, read_intensities
from spi_lightning.io.dragonfly.merged import is_merged
from spi_lightning.io.patterns.intensities import require_no_amplitudes
from spi_lightning.io.patterns.open_patterns import require_geometry
from spi_lightning.io.scans.rocking_evidence import rocking_evidence
from spi_lightning.io.scans.spec import is_spec
from spi_lightning.notes import Note
from spi_lightning.physics.array import bin_pixels
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.saturation import find_saturated

from .crop_to_beam import choose_centre, cut_around_beam, edge_around, notes_of_the_centre, notes_of_the_cut
from .measurement import Measurement

_BRIGHT: Final = 10  # photons beside a dark centre that make it suspicious


class OtherKindError(UserError):
    """A file of a 3D pattern where one 2D pattern is needed.

    Attributes:
        data: Choice of conf/data that reads it.
        kind: Name of such a pattern with its article.
    """

    data = ""
    kind = ""


class RockingScanError(OtherKindError):
    """A file whose frames are sections of one 3D pattern."""

    data, kind = "one_scan", "a rocking scan"


class MergedIntensityError(OtherKindError):
    """A merged 3D intensity of Dragonfly, or the folder of a run that made one."""

    data, kind = "merged_intensity", "a merged 3D intensity"


def measure_frame(
    path: str,
    keys: PatternKeys | None = None,
    mask_convention: str = "auto",
    frame: int | None = None,
    beam_centre: tuple[float, float] | None = None,
    crop: int | None = None,
    bin: int = 1,
    threshold: float = 0.0,
    geometry: dict[str, float | None] | None = None,
    adu_per_photon: float | None = None,
) -> Measurement:
    """Read one frame of a file, move the beam to pixel n // 2, bin it and take the square root.

    Args:
        path, keys, mask_convention, adu_per_photon: File and what it holds, as io.open_patterns takes them.
        frame: Number of the frame in the file; None: the first, unless the file looks like a rocking scan.
        beam_centre: Row and column of the direct beam, pixel; None: as the file says, else found by symmetry.
        crop: Edge of the square around the beam that is kept, pixels before binning; None: the largest that fits and
            that ``bin`` divides. Pixels beyond the detector count as not measured.
        bin: Number of pixels summed along each axis; fewer pixels mean a smaller oversampling ratio.
        threshold: Counts per pixel below which a pixel is taken as empty, photons.
        geometry: distance (m), pixel_size (m), photon_energy (eV) instead of the file's.

    Raises:
        UserError: No such file, frame or key; a rocking scan; counts that are negative, not finite or all zero; a crop
            that bin does not divide.
    """
    _require_one_file(path)
    known = [name for name, value in (geometry or {}).items() if value is not None]
    patterns = open_patterns(path, keys, mask_convention, adu_per_photon, check=False, known=known)
    return measure_pattern(patterns, frame, beam_centre, crop, bin, threshold, geometry)


def measure_pattern(
    patterns: PatternFile,
    frame: int | None = None,
    beam_centre: tuple[float, float] | None = None,
    crop: int | None = None,
    bin: int = 1,
    threshold: float = 0.0,
    geometry: dict[str, float | None] | None = None,
) -> Measurement:
    """As measure_frame, of an open file, which may be in memory."""
    _require_numbers(frame=frame, crop=crop, bin=bin, threshold=threshold, beam_centre=beam_centre)
    path = patterns.path
    frame, hint = _frame_of(patterns, frame)
    photons, mask, counted, notes = _read(patterns, frame)
    notes += hint
    stated = _stated_centre(patterns, frame) if beam_centre is None else np.asarray(beam_centre, dtype=np.float64)
    middle = choose_centre(photons, mask, stated, beam_centre is not None, notes)
    edge = edge_around(photons.shape[-2:], middle, crop, bin)
    notes += notes_of_the_cut(photons.shape[-2:], middle, edge)
    photons, mask, beside = cut_around_beam(photons, mask, middle, edge, bin, notes)
    photons, mask = bin_pixels(photons[:, None], mask[:, None], bin)
    kept, dropped = _above(threshold, photons, mask, counted, notes)
    if not float(kept.max()) > 0:
        raise UserError(
            f"{path}: frame {frame} has no photons left in {kept.shape[0]} x {kept.shape[1]} binned pixels around"
            f" row {middle[0]:.1f}, column {middle[1]:.1f}; set data.beam_centre, data.crop or a lower data.threshold"
        )
    notes += notes_of_the_centre(kept, mask[0, 0], _BRIGHT if counted else 0)
    return Measurement(
        fourier_amplitude=kept.sqrt(),
        mask=mask[0, 0],
        frequency_step=_frequency_step(patterns, frame, bin, geometry or {}, notes),
        density=_density(patterns, frame),
        notes=notes,
        counted=counted,
        poisson=counted and dropped == 0,
        beside=beside,
        bin=bin,
    )


def _above(threshold: float, photons: Tensor, mask: Tensor, counted: bool, notes: list[Note]) -> tuple[Tensor, float]:
    """(1, 1, H, W) intensities with those below a threshold and unmeasured ones at 0, (H, W), and what that drops."""
    measured = torch.where(mask, photons, 0.0)[0, 0]
    kept = torch.where(measured >= threshold, measured, 0.0)
    dropped = float((measured - kept).double().sum())
    if threshold > 0:
        total = float(measured.double().sum())
        notes.append(
            Note.of(
                f"data.threshold={threshold:g}: pixels below it become 0, which drops {dropped:,.6g} "
                f"{'photons' if counted else 'of the intensity'} of {total:,.6g} ({dropped / max(total, 1e-30):.1%})"
            )
        )
    return kept, dropped


def _require_one_file(path: str) -> None:
    """Raise UserError for a merged intensity, and for what can only be a part of a rocking scan.

    That is a folder of frames, a spec file or an archive.
    """
    if is_merged(path):
        raise MergedIntensityError(
            f"{path}: holds a merged 3D intensity of Dragonfly, not 2D patterns; data=merged_intensity phases it"
        )
    if Path(path).is_dir():
        what = "is a folder; a rocking scan of TIFF frames is phased by data=one_scan, a single pattern by its file"
    elif Path(path).is_file() and is_spec(path):
        what = "is a spec file, which holds no frames; a rocking scan is phased by data=one_scan data.path=FRAMES"
        what += f" data.spec={path} data.scan=NUMBER"
    elif Path(path).is_file() and Path(path).suffix.lower() == ".npz":
        what = "is an .npz archive, which data=one_scan reads if it holds a rocking scan; save one pattern as .npy"
    else:
        return
    raise UserError(f"{path}: {what}")


def _frame_of(patterns: PatternFile, frame: int | None) -> tuple[int, list[Note]]:
    """The number of the frame that is taken, of several with a note.

    Raises:
        UserError: There is no such frame; a rocking scan of which no frame was named.
    """
    evidence = rocking_evidence(patterns, content=frame is None) if len(patterns) > 1 else None
    if evidence is not None and frame is None:
        raise RockingScanError(
            f"{patterns.path}: looks like a rocking scan ({evidence}), of which frame 0 alone is not a 2D pattern "
            f"of the object; give data=one_scan, or data.frame= to phase one of its {len(patterns)} frames all the same"
        )
    number, notes = frame or 0, []
    if evidence is not None:
        text = f"{patterns.path} looks like a rocking scan ({evidence}): data=one_scan phases it in 3D"
        notes.append(Note.warning(text))
    elif len(patterns) > 1 and frame is None:
        notes.append(Note.of(f"frame 0 of {len(patterns)} is phased (data.frame=)"))
    if not 0 <= number < len(patterns):
        raise UserError(f"data.frame={number}: {patterns.path} has frames 0 to {len(patterns) - 1}")
    return number, notes


def _read(patterns: PatternFile, frame: int) -> tuple[Tensor, Tensor, bool, list[Note]]:
    """(1, H, W) intensities and mask of a frame that holds something, whether they are photons, and notes."""
    read = read_intensities(patterns, [frame])
    photons, mask, counted = torch.from_numpy(read.values), torch.from_numpy(np.array(read.mask)), bool(read.counted[0])
    broken = int(read.broken[0])
    require_no_amplitudes(read.values[read.mask], f"{patterns.path}: frame {frame}")
    file, number = patterns.origin([frame])[0]
    full, tops = find_saturated(file.source.read(number, number + 1), ~read.mask)
    mask &= ~torch.from_numpy(full)
    photons = torch.where(mask, photons, 0.0)
    if not float((photons * mask).max()) > 0:
        lost = f"; {broken} pixels are NaN or infinite" if broken else ""
        scan = "; a rocking scan is phased by data=one_scan" if len(patterns) > 1 else ""
        raise UserError(
            f"{patterns.path}: frame {frame} is empty (no photons where the mask measured{lost}); choose another "
            f"frame{scan}"
        )
    values = photons[mask]
    if float(values.min()) == float(values.max()):
        raise UserError(
            f"{patterns.path}: frame {frame} holds {float(values[0]):.4g} in every pixel; it is not a pattern"
        )
    notes = list(patterns.notes)
    notes += [
        Note.of(f"frame {frame}: {top.pixels} pixels are saturated, at {top.value:.10g}, {top.why}: not measured")
        for top in tops
    ]
    if broken:
        notes.append(Note.of(f"frame {frame}: {broken} pixels are NaN or infinite and count as not measured"))
    if not counted:
        notes.append(
            Note.of(
                f"frame {frame}: the values are not photon counts and are taken as intensities in a unit of their "
                "own, so nothing is said of photon noise; for detector units give data.adu_per_photon="
            )
        )
    return photons, mask, counted, notes


def _require_numbers(**settings: object) -> None:
    """Raise UserError with the name of a setting that is not a number, not a whole number or not a pair of numbers."""
    for name, value in settings.items():
        if name == "beam_centre":
            pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
            if value is not None and (len(pair) != 2 or not all(isinstance(part, int | float) for part in pair)):
                raise UserError(
                    f"data.beam_centre={value}: give row and column, [row,column], or null to have it found"
                )
        elif not isinstance(value, int | float if name == "threshold" else int) and (
            value is not None or name not in ("crop", "frame")
        ):
            raise UserError(f"data.{name}={value}: give a {'' if name == 'threshold' else 'whole '}number")


def _stated_centre(patterns: PatternFile, frame: int) -> NDArray[np.float64] | None:
    stored = patterns.geometry.get(BEAM_CENTRE)
    if stored is None:
        return None
    values = np.asarray(stored, dtype=np.float64)
    values = values[frame] if values.ndim == 2 else values
    return values if np.isfinite(values).all() else None


def _frequency_step(
    patterns: PatternFile, frame: int, bin: int, geometry: dict[str, float | None], notes: list[Note]
) -> tuple[float, float] | None:
    """Small-angle frequency per binned pixel, pixel_size / (wavelength distance), 1/m; says what is missing."""
    stated = require_geometry(geometry)
    values, missing = [], []
    for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY):
        stored = patterns.geometry.get(name)
        if name in stated or stored is not None:
            array = np.asarray(stated.get(name, stored), dtype=np.float64)
            values.append(float(array.flat[frame] if array.size > 1 else array.flat[0]))
        elif name in patterns.unknown_geometry:
            raise UserError(patterns.unknown_geometry[name])
        else:
            missing.append(f"data.geometry.{name}")
    if missing:
        if stated:
            notes.append(
                Note.of(
                    f"lengths stay in pixels: {' and '.join(missing)} also needed beside "
                    f"{', '.join(f'data.geometry.{name}' for name in stated)}"
                )
            )
        return None
    if not all(0 < value < float("inf") for value in values):
        notes.append(
            Note.of("lengths stay in pixels: a distance, pixel size or photon energy in the file is not positive")
        )
        return None
    step = bin * values[1] / (values[0] * wavelength_from_energy(values[2]))
    return float(step), float(step)


def _density(patterns: PatternFile, frame: int) -> Tensor | None:
    """The true density of a simulated frame, if the file has it."""
    if DENSITY not in patterns.images:
        return None
    return torch.from_numpy(np.array(patterns.read_image(DENSITY, [frame])[0], dtype=np.float32))
