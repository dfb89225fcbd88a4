"""Dragonfly: its input files from any file of patterns, and a run of the program with its progress or failure."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import TimeElapsedColumn

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile, make_detector, write_detector, write_emc
from spi_lightning.io.dragonfly.detector import Detector
from spi_lightning.io.dragonfly.output import read_log
from spi_lightning.progress import ProgressBar
from spi_lightning.write_errors import new_hdf5

from .emc.settings import POINT_GROUPS
from .settings import FirstGuess, Rings
from .window import Window

PHOTONS, DETECTOR, START, CONFIG = "photons.emc", "detector.h5", "start.h5", "config.ini"
OUTPUT, LOG = "data", "EMC.log"
_RIM: Final = 3  # pixels beyond the outer ring that are merged, so that slices never end inside the ring


@dataclass(frozen=True)
class DragonflyInput:
    """What was written for Dragonfly.

    Attributes:
        patterns: Number of patterns that were written.
        detector: Geometry and classes of pixels: 0 for orientations and merging, 1 for merging only, 2 not used.
        inner, outer: Radii between which pixels determine orientations, binned pixels.
        size: Number of voxels along an edge of the merged intensity.
        photons: Mean number of photons of a pattern between the radii.
    """

    patterns: int
    detector: Detector
    inner: float
    outer: float
    size: int
    photons: float


def write_input(
    folder: Path,
    patterns: PatternFile,
    window: Window,
    rings: Rings,
    emc: Mapping[str, Any],
    start: FirstGuess,
) -> DragonflyInput:
    """Write photons.emc, detector.h5, start.h5 and config.ini into a folder.

    Args:
        folder: Folder for the files, made if it is not there.
        patterns, window: File to read, and the square of it that is used.
        rings: Radii between which pixels determine orientations.
        emc: Further lines of Dragonfly's section [emc].
        start: Random share of the first guess, and its seed.

    Raises:
        UserError: No measured pixels or photons between the radii, or what the writers raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    full = window.bin**2
    total, used = np.zeros(1), None
    for frames in _pieces(patterns):
        total = total + window.cut(patterns.read(frames)).sum(axis=0, dtype=np.float64)
        mask = patterns.read_mask(frames if patterns.masks_differ else frames[:1])
        measured = (window.cut(mask) == full).all(axis=0)
        used = measured if used is None else used & measured
    assert used is not None
    detector = make_detector(used.shape, window.distance, window.beam_centre, used)
    mean, radius = total / len(patterns), _radius(detector)
    inner, outer = _radii(mean, used, radius, rings)
    classes = detector.classes.copy()
    classes[used & ((radius < inner) | (radius > outer))] = 1
    classes[radius > outer + _RIM] = 2
    detector = replace(detector, classes=classes)
    in_rings = float(mean[classes == 0].sum())
    if in_rings <= 0:
        raise UserError(
            f"{patterns.path}: no photons between rings.inner={inner:.3g} and rings.outer={outer:.3g} pixels"
        )
    write_detector(folder / DETECTOR, detector)
    keep = classes < 2
    write_emc(folder / PHOTONS, (window.cut(patterns.read(frames)) * keep for frames in _pieces(patterns)))
    size = model_size(detector)
    write_start(folder / START, first_guess(mean, detector, size, start))
    lines: dict[str, Any] = {"in_photons_file": PHOTONS, "in_detector_file": DETECTOR, "start_model_file": START}
    lines |= {"output_folder": f"{OUTPUT}/", "log_file": LOG, "save_prob": 1, "verbosity": 1, **emc}
    if "point_group" in emc:
        lines["point_group"] = {word: letters for letters, word in POINT_GROUPS.items()}.get(
            emc["point_group"], emc["point_group"]
        )
    with atomic_write(folder / CONFIG) as part:
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        part.write_text(f"[emc]\n{text}", encoding="utf-8")
    return DragonflyInput(len(patterns), detector, inner, outer, size, in_rings)


def _pieces(patterns: PatternFile) -> Iterator[NDArray[np.int64]]:
    """Frame numbers (n,) of all patterns, in pieces worth one read."""
    at_once = patterns.frames_at_once()
    for start in range(0, len(patterns), at_once):
        yield np.arange(start, min(start + at_once, len(patterns)))


def _radius(detector: Detector) -> NDArray[np.float64]:
    row, column = np.indices(detector.shape)
    return np.asarray(np.hypot(row - detector.beam_centre[0], column - detector.beam_centre[1]))


def _radii(
    mean: NDArray[np.float64], used: NDArray[np.bool_], radius: NDArray[np.float64], rings: Rings
) -> tuple[float, float]:
    """Inner and outer radius, binned pixels, found in the mean pattern (h, w) where they are not stated."""
    inner, outer = rings.inner, rings.outer
    if outer is None:
        outer = min(mean.shape) / 2 - _RIM
    if inner is None:
        ring = radius.round().astype(np.int64)
        profile = np.bincount(ring[used], mean[used]) / np.maximum(np.bincount(ring[used]), 1)
        measured = np.flatnonzero(np.bincount(ring[used]))
        faint = [int(r) for r in measured if r >= profile.argmax() and profile[r] < profile.max() / 10]
        inner = float(min(faint[0] if faint else 0, outer / 2))
    if not 0 <= inner < outer:
        raise UserError(f"rings.inner={inner:.3g} must lie below rings.outer={outer:.3g} (binned pixels)")
    return float(inner), float(outer)


def model_size(detector: Detector) -> int:
    """Edge of the merged intensity in voxels, as Dragonfly computes it: 2 ceil(q_max) + 3."""
    return int(2 * np.ceil(np.linalg.norm(detector.q, axis=-1).max()) + 3)


def first_guess(mean: NDArray[np.float64], detector: Detector, size: int, start: FirstGuess) -> NDArray[np.float64]:
    """The mean pattern's radial profile turned into a volume, times 1 + noise * uniform(-1, 1), or white noise alone.

    White noise is Dragonfly's own first guess, in which all bright patterns prefer the same few orientations; from a
    profile that suits all orientations alike, patterns choose by their own features.

    Args:
        mean: (h, w) mean photons of a pattern in each pixel.
        detector: Geometry and classes of these pixels.
        size: Number of voxels along an edge.
        start: Kind, share of noise and seed.

    Returns:
        (size, size, size) photons per pixel, positive.
    """
    draw = np.random.default_rng(start.seed)
    used = detector.classes < 2
    if start.kind == "random":
        return np.asarray(2 * mean[used].mean() * draw.uniform(0, 1, (size, size, size)))
    q = np.linalg.norm(detector.q, axis=-1)[used]
    bins = np.rint(2 * q).astype(np.int64)
    pixels = np.bincount(bins)
    value = np.bincount(bins, (mean / (detector.correction / detector.correction.mean()))[used])
    measured = np.flatnonzero(pixels)
    floor = 1e-3 * value.sum() / pixels.sum()
    profile = np.log(np.maximum(value[measured] / pixels[measured], floor))
    axis = np.arange(size) - size // 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    guess = np.exp(np.interp(radius, measured / 2, profile))
    return np.asarray(guess * (1 + start.noise * draw.uniform(-1, 1, guess.shape)))


def write_start(path: Path, guess: NDArray[np.float64]) -> None:
    """Write a first guess as Dragonfly's start_model_file."""
    with atomic_write(path) as part, new_hdf5(part) as file:
        file["intens"] = guess[None]


PROGRAM: Final = "dragonfly.emc"
PRINTED: Final = "dragonfly.log"  # its standard output; EMC.log is its own table
INSTALL: Final = (
    "sudo apt-get install libgsl-dev libopenmpi-dev libhdf5-dev pkg-config && pip install mpi4py dragonfly-spi"
)
_TAIL, _PATIENCE = 25, 0.3  # lines shown of a failure; seconds between looks


def find_dragonfly(where: str) -> str:
    """Path of the program.

    Args:
        where: The program, its folder or a virtual environment that holds it, or its name in PATH.

    Raises:
        UserError: It is not there; the sentence says how to install it.
    """
    home = Path(where)
    files = [home, home / PROGRAM, home / "bin" / PROGRAM]
    paths = [shutil.which(str(file)) for file in files if file.is_file()] + [shutil.which(where)]
    found = next((path for path in paths if path), None)
    if found is None:
        raise UserError(
            f"Dragonfly is not installed (not at dragonfly={where}): {INSTALL}; or say where it is with "
            "dragonfly=PATH, a virtual environment of its own will do; without dragonfly= the EMC of this package runs"
        )
    return str(Path(found).absolute())


def run_dragonfly(program: str, folder: Path, iterations: int, threads: int | None, keep: str = "last") -> None:
    """Run the iterations in a folder of input files, with a progress bar on stderr.

    Args:
        program: Path of the program, see find_dragonfly.
        folder: Holds config.ini; gets data/output_NNN.h5, EMC.log and dragonfly.log, of which older ones are removed.
        iterations: Number of EMC iterations.
        threads: Number of OpenMP threads; None: all cores this process may use.
        keep: "last": outputs of earlier iterations are removed during the run; "all": all are kept.

    Raises:
        UserError: It failed, after the end of its log was shown; or it ended without its last output.
    """
    shutil.rmtree(folder / OUTPUT, ignore_errors=True)
    (folder / LOG).unlink(missing_ok=True)
    command = [program, "-c", CONFIG, *(["-t", str(threads)] if threads else []), str(iterations)]
    with (folder / PRINTED).open("wb") as printed:
        process = subprocess.Popen(
            command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            _watch(process, folder, iterations, keep)
        finally:
            if process.poll() is None:  # Ctrl-C, or a fault of ours
                process.terminate()
                process.wait()
    _require_success(process.returncode, folder, iterations)
    if keep == "last":
        _remove_before(folder, iterations)


def _watch(process: subprocess.Popen[bytes], folder: Path, iterations: int, keep: str) -> None:
    """Advance the bar with every line of EMC.log until the program has ended."""
    with ProgressBar(TimeElapsedColumn(), always=True) as progress:
        task = progress.add_task("Dragonfly", total=iterations)
        done = 0
        while True:
            ended = process.poll() is not None
            log = read_log(folder / LOG)
            if len(log["iteration"]) != done:
                done = len(log["iteration"])
                words = f"Dragonfly, mutual information {log['mutual_information'][-1]:.2f} nat"
                progress.update(task, completed=done, description=words)
                if keep == "last":
                    _remove_before(folder, done - 1)
            if ended:
                return
            time.sleep(_PATIENCE)


def _remove_before(folder: Path, iteration: int) -> None:
    for file in (folder / OUTPUT).glob("output_*.h5"):
        number = re.fullmatch(r"output_(\d+)\.h5", file.name)
        if number and int(number[1]) < iteration:
            file.unlink(missing_ok=True)


def _require_success(status: int, folder: Path, iterations: int) -> None:
    """UserError for a run that failed or ended early, after the end of its log was shown."""
    done = len(read_log(folder / LOG)["iteration"])
    if status == 0 and done >= iterations:
        return
    how = f"was killed by signal {-status}" if status < 0 else f"left with status {status}"
    lines = (folder / PRINTED).read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"--- end of {folder / PRINTED}", *lines[-_TAIL:], "---", sep="\n", file=sys.stderr)
    hint = ": pip install mpi4py" if any("No module named 'mpi4py'" in line for line in lines) else ""
    memory = ", perhaps for want of memory" if status == -9 else ""
    raise UserError(f"Dragonfly {how} after {done} of {iterations} iterations{memory}; its log is above{hint}")
