"""Reader of a merged 3D intensity of Dragonfly: its measured voxels, and the frequency between them.

The cube ``intens`` has an edge of 2 ceil(q_max) + 3 voxels, which is odd, and q = 0 at voxel edge // 2. A voxel that no
pixel of class 0 or 1 reaches has ``inter_weight`` 0, or the value 0 in files without it. Pixels next to the beam stop
or the edge spread into the voxels beyond them, which are extrapolated: the radii of the detector file exclude these.
Source: dragonfly-spi 0.1.0, recon.pyx (update_model, save_output) and model.c (slice_merge3d).
"""

import configparser
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import MAGIC, dataset, opened
from spi_lightning.notes import Note
from spi_lightning.physics.constants import wavelength_from_energy

from .detector import Detector, read_detector
from .output import as_cube, find_output, has_output, old_cube

_OPTION: Final = "data.path"
_CONFIG: Final = "config.ini"
_DETECTORS: Final = ("detector.h5", "detector.dat")
_ANGSTROM: Final = 1e-10


@dataclass(frozen=True)
class MergedIntensity:
    """Merged intensity of one mode.

    Attributes:
        path: Path of the output file.
        intensity: (M, M, M) float64 ordered z, y, x, q = 0 at M // 2; 0 where not measured.
        measured: (M, M, M) bool, True where pixels of the detector lie.
        step: Frequency between voxels, 1/m; None where the Ewald radius or the wavelength is unknown.
        has_detector: Whether a detector file was found.
        notes: Notes on what was found and what is missing.
    """

    path: Path
    intensity: NDArray[np.float64]
    measured: NDArray[np.bool_]
    step: float | None
    has_detector: bool
    notes: list[Note] = field(default_factory=list)


def is_merged(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a Dragonfly output with a cube ``intens``, or the folder of a run that has one."""
    path = Path(path)
    if path.is_dir():
        return has_output(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        hdf5 = file.read(8) == MAGIC
    if not hdf5:
        return path.suffix == ".bin" and path.name.startswith("intens_")
    with opened(path) as stored:
        shape = getattr(stored.get("intens"), "shape", ())
    return len(shape) in (3, 4) and len(set(shape[-3:])) == 1


def read_merged(
    path: str | Path, detector: str | Path | None = None, photon_energy: float | None = None
) -> MergedIntensity:
    """Read the merged intensity of a Dragonfly run.

    Args:
        path: output_NNN.h5, intens_NNN.bin of an old version, or the folder of a run, whose last iteration is read.
        detector: Detector file; None: that of config.ini, or detector.h5 or .dat, in the folder of the run.
        photon_energy: Photon energy, eV; None: from ``lambda`` of the run's config.ini, if it is there.

    Raises:
        UserError: No such output, one that is not a cube or holds no measured voxel, or a damaged detector file.
    """
    found = find_output(Path(path), _OPTION)
    intensity, weight, notes = _read(found)
    known = _detector_of(found, detector)
    measured = np.isfinite(intensity) & (intensity >= 0) & (intensity != 0 if weight is None else weight > 0)
    if weight is None:
        notes.append(Note.of("no inter_weight in the file: voxels of exactly 0 count as not measured", str(found)))
    if known is not None:
        measured &= _reached(len(intensity), known)
    if not (intensity[measured] > 0).any():
        raise UserError(f"{found}: no voxel of the merged intensity was measured; give an iteration after the first")
    step = None if known is None else _step(found, known, photon_energy)
    return MergedIntensity(found, np.where(measured, intensity, 0.0), measured, step, known is not None, notes)


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, list[Note]]:
    """Intensity and weight of the first mode, ordered z, y, x; None for a file without weights."""
    with path.open("rb") as file:
        hdf5 = file.read(8) == MAGIC
    if not hdf5:
        return old_cube(path), None, []
    with opened(path) as stored:
        names = [name for name in ("intens", "inter_weight") if name in stored or name == "intens"]
        cubes = [np.asarray(dataset(stored, name, _OPTION)[()], dtype=np.float64) for name in names]
    modes = len(cubes[0]) if cubes[0].ndim == 4 else 1
    notes = [Note.of(f"{modes} modes: the first is taken", str(path))] * (modes > 1)
    first = [as_cube(path, cube[0] if cube.ndim == 4 else cube) for cube in cubes]
    weight = first[1] if len(first) > 1 and first[1].shape == first[0].shape and (first[1] > 0).any() else None
    return first[0], weight, notes


def _folders(output: Path) -> list[Path]:
    """Folders in which the files of a run may lie, from that of its output upwards."""
    return [output.parent, output.parent.parent, output.parent.parent.parent]


def _config(output: Path) -> tuple[configparser.ConfigParser, Path | None]:
    """config.ini of the run of an output, and its folder; empty and None where there is none, or it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None)
    for folder in _folders(output):
        try:
            if parser.read(folder / _CONFIG, encoding="utf-8"):
                return parser, folder
        except (configparser.Error, UnicodeDecodeError):
            break
    return configparser.ConfigParser(), None


def _detector_of(output: Path, stated: str | Path | None) -> Detector | None:
    """Detector of a run: the stated file, that of config.ini, or one of the usual names; None without any."""
    if stated is not None:
        return read_detector(stated)
    config, home = _config(output)
    named = config.get("emc", "in_detector_file", fallback=None)
    files = [] if home is None or named is None or ":::" in named else [home / named]
    files += [folder / name for folder in _folders(output) for name in _DETECTORS]
    return next((read_detector(file) for file in files if file.is_file()), None)


def _reached(size: int, detector: Detector) -> NDArray[np.bool_]:
    """(M, M, M) bool, voxels from the smallest |q| of a measured pixel to the largest; q = 0 at M // 2."""
    q = np.linalg.norm(detector.q, axis=-1)[detector.classes < 2]
    along = np.arange(size) - size // 2
    radius = np.sqrt(along[:, None, None] ** 2 + along[:, None] ** 2 + along**2)
    inner = float(q.min()) if q.min() > 1 else 0.0  # a beam between pixels leaves no hole
    return np.asarray((radius >= inner) & (radius <= q.max()))


def _step(output: Path, detector: Detector, photon_energy: float | None) -> float | None:
    """Frequency between voxels, 1 / (wavelength * Ewald radius), 1/m; None where the wavelength is unknown."""
    if photon_energy is not None:
        return 1 / (wavelength_from_energy(photon_energy) * detector.ewald_radius)
    stated = _config(output)[0].get("parameters", "lambda", fallback="")
    try:
        wavelength = float(stated) * _ANGSTROM
    except ValueError:
        return None
    return 1 / (wavelength * detector.ewald_radius) if 0 < wavelength < np.inf else None
