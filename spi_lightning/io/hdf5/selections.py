"""Selections of HDF5 data spaces as blocks along the axes of an array."""

from collections.abc import Iterator
from math import prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Interval = tuple[int, int]
Blocks = list[list[Interval]]  # for each axis its intervals [start, stop); their product is selected


def points(selection: Iterator[Blocks]) -> int:
    """Number of array elements in a selection."""
    return sum(prod(sum(max(0, stop - start) for start, stop in pairs) for pairs in blocks) for blocks in selection)


def unmapped_cells(shape: tuple[int, ...], sources: list[Any]) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    """Cells of a virtual data set that no source is mapped to.

    Args:
        shape: Shape of the virtual data set.
        sources: Mapped sources as ``h5py.Dataset.virtual_sources`` returns them.

    Returns:
        For each axis the first index of every cell and the length of the axis; and a bool array of the cells, one axis
        per axis of the data set, True where nothing is mapped.
    """
    mapped = [blocks for source in sources for blocks in selected(source.vspace, shape)]
    cuts = [
        np.unique(np.array([0, n, *(end for blocks in mapped for pair in blocks[axis] for end in pair)], np.int64))
        for axis, n in enumerate(shape)
    ]
    cuts = [ends[ends <= n] for ends, n in zip(cuts, shape, strict=True)]
    index_of = [{int(end): index for index, end in enumerate(ends)} for ends in cuts]
    holes = np.ones([len(ends) - 1 for ends in cuts], dtype=bool)
    for blocks in mapped:
        cells = [
            [slice(of[start], of[stop]) for start, stop in pairs] for of, pairs in zip(index_of, blocks, strict=True)
        ]
        if all(len(each) == 1 for each in cells):
            holes[tuple(each[0] for each in cells)] = False
        else:
            holes[np.ix_(*(np.concatenate([np.arange(one.start, one.stop) for one in each]) for each in cells))] = False
    return cuts, holes


def selected(space: h5py.h5s.SpaceID, shape: tuple[int, ...], limit: int | None = None) -> Iterator[Blocks]:
    """Blocks that a selection covers in an array of ``shape``; an unlimited one, ``limit`` blocks or all that fit."""
    kind = space.get_select_type()
    if (block := _one_block(space, kind, shape)) is not None:
        yield block
    elif kind == h5py.h5s.SEL_ALL:
        yield [[(0, n)] for n in shape]
    elif kind == h5py.h5s.SEL_HYPERSLABS and space.is_regular_hyperslab():
        blocks: Blocks = []
        for start, stride, count, block, n in zip(*space.get_regular_hyperslab(), shape, strict=True):
            if count == h5py.h5s.UNLIMITED:
                count = limit or max(0, -(-(n - start) // stride))
            if block == h5py.h5s.UNLIMITED or (stride == block and count > 1):
                block, count = min(n - start, block if block == h5py.h5s.UNLIMITED else block * count), 1
            blocks.append([(start + k * stride, min(start + k * stride + block, n)) for k in range(count)])
        if all(blocks):
            yield blocks
    elif kind == h5py.h5s.SEL_HYPERSLABS:
        for first, last in space.get_select_hyper_blocklist():
            yield [[(int(a), int(b) + 1)] for a, b in zip(first, last, strict=True)]
    elif kind == h5py.h5s.SEL_POINTS:
        for point in space.get_select_elem_pointlist():
            yield [[(int(a), int(a) + 1)] for a in point]


def _one_block(space: h5py.h5s.SpaceID, kind: int, shape: tuple[int, ...]) -> Blocks | None:
    """Blocks of a selection that is a single block inside an array of ``shape``; None for others."""
    if kind != h5py.h5s.SEL_HYPERSLABS:
        return None
    try:
        size, (first, last) = space.get_select_npoints(), space.get_select_bounds()
    except RuntimeError:  # an unlimited selection
        return None
    inside = all(stop < n for stop, n in zip(last, shape, strict=True))
    one = prod(stop - start + 1 for start, stop in zip(first, last, strict=True)) == size
    return [[(int(start), int(stop) + 1)] for start, stop in zip(first, last, strict=True)] if inside and one else None
