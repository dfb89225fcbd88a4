"""Reader of Dragonfly output: orientations, their probabilities, the merged intensity, and the log of the iterations.

Each iteration is one output_NNN.h5 with intens (modes, M, M, M; axes x, y, z), orientations, quaternions, likelihood,
mutual_info, scale and, with save_prob = 1, probabilities/{place, prob} as lists of variable length. Versions without
HDF5 wrote output/intens_NNN.bin, orientations/orientations_NNN.bin, likelihood/, mutualInfo/ and scale/.
Quaternions w, x, y, z rotate the model into the laboratory, as in this package: pixel q samples the model at R^T q.
Source: dragonfly-spi 0.1.0, and Ayyer et al. (2016), J. Appl. Cryst. 49, 1320.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import MAGIC, dataset, opened
from spi_lightning.notes import Note

LOG_COLUMNS: Final = ("iteration", "seconds", "rms_change", "mutual_information", "log_likelihood", "rotations", "beta")
_OPTION: Final = "output"
_BEST_ALONE: Final = "each pattern's best orientation counts 1"
_OLD: Final = {"likelihood": "likelihood/likelihood", "mutual_information": "mutualInfo/info", "scale": "scale/scale"}


@dataclass(frozen=True)
class DragonflyOutput:
    """One iteration of Dragonfly; N patterns, R sampled orientations.

    Attributes:
        path: Path of the output file.
        iteration: Number of the iteration.
        quaternion: (R, 4) float64 unit quaternions w, x, y, z, body to laboratory.
        weight: (R,) share of the rotation group that each of them represents; their sum is 1.
        orientation: (N,) int64 index of each pattern's most probable orientation; -1 if left out by a blacklist.
        candidate: (N, k) int64 indices of the k most probable orientations, best first; -1 where there are fewer.
        probability: (N, k) float64 probabilities of the candidates, 0 where there are fewer.
        intensity: (M, M, M) float64 of the first mode, ordered z, y, x, q = 0 at M // 2; photons per pixel of mean
            solid angle, in a pattern of mean fluence.
        per_pattern: likelihood, mutual_information, scale (relative fluence), (N,) each, if the run saved them.
        notes: Missing data and their substitutes.
    """

    path: Path
    iteration: int
    quaternion: NDArray[np.float64]
    weight: NDArray[np.float64]
    orientation: NDArray[np.int64]
    candidate: NDArray[np.int64]
    probability: NDArray[np.float64]
    intensity: NDArray[np.float64]
    per_pattern: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def read_output(path: str | Path, top: int = 10, quaternions: str | Path | None = None) -> DragonflyOutput:
    """Read a Dragonfly output.

    Args:
        path: output_NNN.h5, an old intens_NNN.bin, or a folder, of which the last iteration is read.
        top: Number k of the most probable orientations to keep per pattern.
        quaternions: List of the sampled orientations, see read_quaternions; needed if the output holds none, as in old
            runs.

    Raises:
        UserError: A missing or damaged output; no list of orientations, or one of another length.
    """
    found = find_output(Path(path))
    with found.open("rb") as file:
        hdf5 = file.read(8) == MAGIC
    return _read_hdf5(found, top, quaternions) if hdf5 else _read_old(found, quaternions)


def find_output(path: Path, option: str = _OPTION) -> Path:
    """Path of the file itself, or of the last iteration in a folder, its data/ or its output/.

    Args:
        path: Output file, or folder of a run.
        option: Setting that names the path, for the message.

    Raises:
        UserError: There is no such file or folder, or the folder holds no output of a finished iteration.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"{path}: there is no such Dragonfly output; check {option}=")
    if (found := next(_outputs(path), None)) is not None:
        return found
    raise UserError(f"{path}: holds no output_NNN.h5 of a finished Dragonfly iteration, nor an old intens_NNN.bin")


def has_output(folder: Path) -> bool:
    """Whether a folder holds an output of a finished iteration."""
    return next(_outputs(folder), None) is not None


def _outputs(path: Path) -> Iterator[Path]:
    """Last output in a folder of the present form, then of old versions."""
    for pattern in ("output_*.h5", "intens_*.bin"):
        found = [
            (int(number[1]), file)
            for folder in (path, path / "data", path / "output", path / "data" / "output")
            for file in folder.glob(pattern)
            if (number := re.search(r"_(\d+)\.\w+$", file.name)) and int(number[1]) > 0
        ]
        if found:
            yield max(found)[1]


def _read_hdf5(path: Path, top: int, quaternions: str | Path | None) -> DragonflyOutput:
    notes: list[Note] = []
    with opened(path) as file:
        stored = np.asarray(dataset(file, "intens", _OPTION)[()], dtype=np.float64)
        best = np.asarray(dataset(file, "orientations", _OPTION)[()], dtype=np.int64)
        listed = np.asarray(file["quaternions"][()], dtype=np.float64) if "quaternions" in file else None
        modes = len(stored) if stored.ndim == 4 else 1
        if "probabilities/place" in file and "probabilities/prob" in file:
            lists = [_rows(file, f"probabilities/{name}", kind) for name, kind in (("place", "i8"), ("prob", "f8"))]
            candidate, probability = most_probable(lists[0], lists[1], top)
        else:
            notes.append(Note.of(f"no probabilities were saved (save_prob = 1); {_BEST_ALONE}", str(path)))
            candidate, probability = best[:, None].copy(), (best >= 0).astype(np.float64)[:, None]
        names = {"likelihood": "likelihood", "mutual_information": "mutual_info", "scale": "scale"}
        per_pattern = {key: np.asarray(file[name][()], np.float64) for key, name in names.items() if name in file}
    quaternion, weight = _listed(path, listed, quaternions)
    if modes > 1:
        notes.append(Note.of(f"{modes} modes; orientations are of all, the intensity is that of the first", str(path)))
    best, candidate = (np.where(numbers >= 0, numbers // modes, -1) for numbers in (best, candidate))
    _check_indices(path, candidate, quaternion)
    intensity = as_cube(path, stored[0] if stored.ndim == 4 else stored)
    number = int(m[1]) if (m := re.search(r"_(\d+)\.h5$", path.name)) else 0
    return DragonflyOutput(
        path, number, quaternion, weight, best, candidate, probability, intensity, per_pattern, notes
    )


def _rows(file: h5py.File, key: str, kind: str) -> list[NDArray[Any]]:
    return [np.asarray(row, dtype=kind).reshape(-1) for row in dataset(file, key, _OPTION)[()]]


def most_probable(
    indices: Iterable[NDArray[np.int64]], probability: Iterable[NDArray[np.float64]], top: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ``top`` most probable entries of N lists, best first: (N, top) indices, -1 for none, and probabilities."""
    kept: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for numbers, values in zip(indices, probability, strict=True):
        values = np.where(np.isfinite(values), values, 0.0)
        order = np.argsort(-values, kind="stable")[:top]
        pad = (0, top - len(order))
        kept.append((np.pad(numbers[order], pad, constant_values=-1), np.pad(values[order], pad)))
    candidates, probabilities = zip(*kept, strict=True)
    return np.array(candidates, dtype=np.int64), np.array(probabilities, dtype=np.float64)


def _listed(
    path: Path, inside: NDArray[np.float64] | None, beside: str | Path | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if beside is not None:
        return read_quaternions(beside)
    if inside is None:
        raise UserError(f"{path}: holds no list of sampled orientations; name one with quaternions=FILE")
    return _split(inside, path)


def read_quaternions(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a list of orientations: HDF5 with ``quaternions``, or text, a first line R and then rows w x y z weight.

    Returns:
        (R, 4) unit quaternions and (R,) weights, whose sum is 1; equal if the file has none.

    Raises:
        UserError: A missing or damaged file, or rows that are not unit quaternions.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such list of orientations; check quaternions=")
    with path.open("rb") as head:
        hdf5 = head.read(8) == MAGIC
    if hdf5:
        with opened(path) as file:
            return _split(np.asarray(dataset(file, "quaternions", "quaternions")[()], dtype=np.float64), path)
    try:
        rows = np.loadtxt(path, skiprows=1, ndmin=2)
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as a list of quaternions ({error}); copy it again") from error
    return _split(rows, path)


def _split(rows: NDArray[np.float64], path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    norm = np.linalg.norm(rows[:, :4], axis=1) if rows.ndim == 2 and rows.shape[1] in (4, 5) else np.zeros(1)
    if not (np.isfinite(rows).all() and len(norm) == len(rows) and (np.abs(norm - 1) < 1e-3).all()):
        raise UserError(
            f"{path}: the orientations, {rows.shape}, are not unit quaternions w, x, y, z with a weight; name another "
            "list with quaternions=FILE"
        )
    weight = rows[:, 4] if rows.shape[1] == 5 else np.ones(len(rows))
    return rows[:, :4] / norm[:, None], weight / weight.sum()


def _check_indices(path: Path, candidate: NDArray[np.int64], quaternion: NDArray[np.float64]) -> None:
    if candidate.max(initial=-1) >= len(quaternion):
        raise UserError(
            f"{path}: names orientation {candidate.max()} of a list of {len(quaternion)}; is it of another num_div?"
        )


def as_cube(path: Path, intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity (M, M, M) with Dragonfly's axes x, y, z reordered to z, y, x."""
    if intensity.ndim != 3 or len(set(intensity.shape)) != 1:
        raise UserError(f"{path}: the intensity, {intensity.shape}, is not a cube; give a 3D reconstruction")
    return np.ascontiguousarray(intensity.transpose(2, 1, 0))


def old_cube(path: Path) -> NDArray[np.float64]:
    """Intensity (M, M, M), ordered z, y, x, of an intens_NNN.bin. Raises UserError for numbers that are not a cube."""
    values = np.fromfile(path, "<f8")
    size = round(len(values) ** (1 / 3))
    if size**3 != len(values):
        raise UserError(f"{path}: {len(values)} numbers are not a cube; the file is truncated or holds more modes")
    return as_cube(path, values.reshape(size, size, size))


def _read_old(path: Path, quaternions: str | Path | None) -> DragonflyOutput:
    """Output of one iteration of a version without HDF5, which holds no probabilities."""
    name = re.search(r"_(\d+)\.bin$", path.name)
    if name is None:
        raise UserError(f"{path}: not a Dragonfly output; give output_NNN.h5, or intens_NNN.bin of old versions")
    folder, intensity = path.parent.parent, old_cube(path)
    numbers = folder / "orientations" / f"orientations_{name[1]}.bin"
    if not numbers.is_file():
        raise UserError(f"{path}: its orientations {numbers} are missing; put them back")
    best = np.fromfile(numbers, "<i4").astype(np.int64)
    quaternion, weight = _listed(path, None, quaternions)
    _check_indices(path, best, quaternion)
    texts = {key: folder / f"{stem}_{name[1]}.dat" for key, stem in _OLD.items()}
    per_pattern = {key: np.loadtxt(text, ndmin=1) for key, text in texts.items() if text.is_file()}
    notes = [Note.of(f"old versions save no probabilities; {_BEST_ALONE}", str(path))]
    probability = (best >= 0).astype(np.float64)[:, None]
    return DragonflyOutput(
        path, int(name[1]), quaternion, weight, best, best[:, None], probability, intensity, per_pattern, notes
    )


def read_log(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Columns of EMC.log: LOG_COLUMNS -> (iterations,); empty if the file is missing or no iteration has finished."""
    rows = []
    if Path(path).is_file():
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if len(words) == len(LOG_COLUMNS) and words[0].isdigit():
                rows.append([float(word) for word in words])
    columns = np.array(rows).reshape(-1, len(LOG_COLUMNS)).T
    return dict(zip(LOG_COLUMNS, columns, strict=True))
