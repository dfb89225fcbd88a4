"""Selection lists: chosen frames as index, CXI and Dragonfly files."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PIXEL_SIZE
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile, make_detector, write_detector, write_emc, write_selection
from spi_lightning.io.patterns.frame_lists import index_line
from spi_lightning.printable import printable

INDEX, CXI, EMC, DETECTOR = "index.txt", "selected.cxi", "selected.emc", "detector.h5"


def write_selection_lists(
    folder: Path, patterns: PatternFile, frames: NDArray[np.int64], by: str | None = None
) -> list[str]:
    """Write index.txt, selected.cxi and selected.emc, with detector.h5 where the geometry is known.

    Args:
        folder: Folder to write into; made if it is missing.
        patterns: File of the frames.
        frames: (n,) chosen frames in the order of the lists. Without any, only an index.txt with its head is written.
        by: Name of the method for the head of index.txt; None: no name.

    Returns:
        Names of the files written. index.txt has lines ``file,index`` with files relative to the folder, as
        io.open_patterns reads them; selected.cxi links to the frames; selected.emc and detector.h5 are for Dragonfly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_index(folder / INDEX, patterns, frames, by)
    if len(frames) == 0:
        return [INDEX]
    write_selection(folder / CXI, patterns, frames)
    write_emc(folder / EMC, _pieces(patterns, frames))
    return [INDEX, CXI, EMC, *_write_detector(folder / DETECTOR, patterns)]


def _write_index(path: Path, patterns: PatternFile, frames: NDArray[np.int64], by: str | None) -> None:
    method = f" by {by}" if by else ""
    about = f"{len(frames)} of {len(patterns)} frames of {patterns.path.name}, chosen as single hits{method}"
    lines = [f"# {printable(about)}"]
    here = path.resolve().parent
    for file, frame in patterns.origin(frames) if len(frames) else []:
        lines.append(index_line(os.path.relpath(file.path.resolve(), here), frame))
    with atomic_write(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pieces(patterns: PatternFile, frames: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    at_once = patterns.frames_at_once()
    for start in range(0, len(frames), at_once):
        yield patterns.read(frames[start : start + at_once])


def _write_detector(path: Path, patterns: PatternFile) -> list[str]:
    """Write Dragonfly's detector file if all frames share one geometry and one mask."""
    distance, pixel_size = (np.asarray(patterns.geometry.get(name, np.nan)) for name in (DISTANCE, PIXEL_SIZE))
    ratio = np.unique(distance / pixel_size)
    if len(ratio) != 1 or not np.isfinite(ratio[0]) or patterns.masks_differ:
        return []
    centre = np.asarray(patterns.geometry.get(BEAM_CENTRE, np.nan), dtype=np.float64)
    known = centre.shape == (2,) and bool(np.isfinite(centre).all())
    beam_centre = (float(centre[0]), float(centre[1])) if known else None
    write_detector(path, make_detector(patterns.shape[1:], float(ratio[0]), beam_centre, patterns.shared_mask))
    return [DETECTOR]
