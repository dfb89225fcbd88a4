"""Reader of rocking scans as a series of TIFF files, and the region of the frames to read."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.tiff import TiffFrames
from spi_lightning.notes import Note

from .record import missing_note, without_flaws

MAX_MISSING: Final = 0.2  # share of missing frames, above which a scan is refused
_MEMORY_SHARE: Final = 0.25  # of the free memory for the counts; corrections need some copies
Region = Sequence[int]


def read_series(files: list[Path], region: Region | None) -> tuple[Tensor, list[Note]]:
    """Read the frames of a series in the order of the changing number in their names, or the pages of one stack.

    Args:
        files: Paths of the frames, or of one stack.
        region: First row, last + 1, first column, last + 1 of the part to read, pixel; None for all.

    Returns:
        (frames, rows, columns) float32, NaN in missing frames, infinite where saturated; and notes.

    Raises:
        UserError: Damaged files, duplicate or missing numbers, frames of different sizes, too many missing frames.
    """
    if len(files) == 1:
        stack = read_pages(files[0])
        if stack.ndim != 3:
            raise UserError(
                f"{files[0]}: one frame of shape {stack.shape}; a rocking scan is a stack or series of them"
            )
        rows, columns = region_slices(region, stack.shape[1:], files[0])
        return without_flaws(stack[:, rows, columns])
    numbers = _frame_numbers(files)
    first, frames = min(numbers), max(numbers) - min(numbers) + 1
    one = _cut(read_pages(files[0]), region)
    check_memory(files[0].parent, (frames, *one.shape), None)
    stored = np.zeros((frames, *one.shape), dtype=one.dtype)
    for file, number in zip(files, numbers, strict=True):
        frame = _cut(read_pages(file), region)
        if frame.shape != one.shape:
            raise UserError(
                f"{file}: frame of {tuple(frame.shape)} pixels among others of {tuple(one.shape)}; give one scan"
            )
        stored[number - first] = frame
    missing = sorted(set(range(first, first + frames)) - set(numbers))
    if len(missing) > MAX_MISSING * frames:
        raise UserError(
            f"{files[0].parent}: {len(missing)} of {frames} frames are missing, e.g. {missing[0]}; copy the scan again"
        )
    absent = [number - first for number in missing]
    present = [number for number in range(frames) if number not in absent]
    counts = torch.full(stored.shape, torch.nan)
    counts[present], notes = without_flaws(stored[present])
    return counts, [missing_note(absent, frames), *notes] if missing else notes


def _cut(frame: NDArray[Any], region: Region | None) -> NDArray[Any]:
    """Region of a frame (..., rows, columns), in its stored dtype."""
    rows, columns = region_slices(region, frame.shape[-2:], "frames")
    cut: NDArray[Any] = frame[..., rows, columns]
    return cut


def _frame_numbers(files: list[Path]) -> list[int]:
    """Number of each frame: of the numbers in the names the one that differs in every file.

    If there is more than one, the one with the fewest gaps, then the last. Names of different patterns are compared by
    their last number.

    Raises:
        UserError: A name without number, or frames of the same number.
    """
    digits = [re.findall(r"\d+", file.stem) for file in files]
    if not all(digits):
        file = files[[bool(each) for each in digits].index(False)]
        raise UserError(
            f"{file}: no number in its name, so its position in the scan is unknown; give a glob of the frames alone"
        )
    patterns = {re.sub(r"\d+", "#", file.stem) for file in files}
    columns = list(zip(*digits, strict=True)) if len(patterns) == 1 else [tuple(each[-1] for each in digits)]
    series = [[int(number) for number in column] for column in columns]
    distinct = [numbers for numbers in series if len(set(numbers)) == len(files)]
    if distinct:
        return min(reversed(distinct), key=lambda numbers: max(numbers) - min(numbers))
    _require_like_names(files)
    changing = [numbers for numbers in series if len(set(numbers)) > 1]
    if not changing:
        raise UserError(
            f"{files[0].parent}: no number in the names of {len(files)} frames, {files[0].name} and {files[1].name} "
            "first, distinguishes them; number them in the order of their angles"
        )
    numbers = changing[-1]
    first = next(number for number in sorted(numbers) if numbers.count(number) > 1)
    names = [file.name for file, number in zip(files, numbers, strict=True) if number == first]
    why = "two scans lie in one folder; give a glob of one of them" if len(changing) > 1 else "remove one of them"
    raise UserError(f"{files[0].parent}: frame {first} exists more than once, {names[0]} and {names[1]}: {why}")


def _require_like_names(files: list[Path]) -> None:
    """Raise UserError if a few files have other names than most, as copies and dark frames do."""
    patterns = [re.sub(r"\d+", "#", file.stem) for file in files]
    usual = max(patterns, key=patterns.count)
    if 2 * patterns.count(usual) > len(files) > patterns.count(usual):
        odd = next(file for file, pattern in zip(files, patterns, strict=True) if pattern != usual)
        raise UserError(
            f"{odd.parent}: a frame exists more than once, and {odd.name} is named differently from the others; remove "
            "it if it is a copy, or give a glob of the frames alone"
        )


def read_pages(file: Path) -> NDArray[Any]:
    """All frames of a TIFF file, (H, W) for one, else (N, H, W); UserError as TiffFrames."""
    frames = TiffFrames(file)
    pages = frames.read(0, frames.shape[0])
    return pages[0] if len(pages) == 1 else pages


def region_slices(region: Region | None, shape: tuple[int, ...], where: Any) -> tuple[slice, slice]:
    """Slices of the rows and columns of a region; UserError if it is not inside ``shape`` (rows, columns), pixel."""
    if region is None:
        return slice(None), slice(None)
    ok = len(region) == 4 and 0 <= region[0] < region[1] <= shape[0] and 0 <= region[2] < region[3] <= shape[1]
    if not ok:
        raise UserError(f"{where}: data.region={list(region)} is not inside {shape[0]} x {shape[1]} pixels")
    return slice(region[0], region[1]), slice(region[2], region[3])


def cut_region(frames: Tensor, region: Region | None) -> Tensor:
    """Copy of the region of frames (..., rows, columns)."""
    rows, columns = region_slices(region, tuple(frames.shape[-2:]), "frames")
    return frames[..., rows, columns].clone()


def check_memory(where: Path, shape: tuple[int, ...], region: Region | None) -> None:
    """Raise UserError for a scan of ``shape`` (frames, rows, columns) that does not fit into memory, with a remedy."""
    rows, columns = region_slices(region, shape[1:], where)
    pixels = len(range(*rows.indices(shape[1]))) * len(range(*columns.indices(shape[2])))
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed, allowed = 4 * shape[0] * pixels, int(_MEMORY_SHARE * free)
    if needed > allowed:
        edge = int((allowed / (4 * shape[0])) ** 0.5)
        raise UserError(
            f"{where}: {shape[0]} frames need {needed / 2**30:.1f} GiB, {allowed / 2**30:.1f} GiB are available; "
            f"a region of {edge} x {edge} pixels would fit: data.region=[row, row, column, column]"
        )
