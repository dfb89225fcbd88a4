"""Summary of a simulated set: tables of its kinds or structures, and a picture of examples."""

import os
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from spi_lightning.console import Terminal
from spi_lightning.data.simulated.set_files import ENTRY
from spi_lightning.data.supports import structure_names
from spi_lightning.data.volumes import VolumeDataset
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    AMPLITUDE,
    DENSITY,
    FOURIER_AMPLITUDE,
    IS_SINGLE_HIT,
    KIND,
    MASK,
    PHASE,
    STRUCTURE,
    Kind,
)
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.reports.density_gallery import density_figure
from spi_lightning.reports.hits.gallery import Caption, collect_gallery, gallery_figure
from spi_lightning.reports.style import OTHER, SINGLE
from spi_lightning.reports.volumes.particle_gallery import volume_figure

_ROWS: Final = 8  # structures listed by name
_MOST_PARTICLES: Final = 8  # in the picture
_DOTS_PER_INCH: Final = 120


def require_free_picture(path: Path, examples: int, overwrite: bool) -> None:
    """Raise UserError if the picture of examples beside a set would replace the set, or a picture that is there."""
    picture = path.with_suffix(".png")
    if examples and picture == path:
        raise UserError(f"path={path}: its picture of examples has that name; name the set otherwise, or examples=0")
    if examples and not overwrite and not os.path.lexists(path) and os.path.lexists(picture):
        raise UserError(f"{picture} exists already: give another path=, overwrite=true, or examples=0")


def print_set(path: Path, examples: int) -> None:
    """Print the table of a set of patterns and where it lies; write a picture of so many examples (0: none)."""
    console, simulated = Terminal(), open_set(path)
    if not isinstance(simulated, VolumeDataset):
        console.print(table_of_set(simulated))
    console.print(f"set: {path}", soft_wrap=True)
    if examples:
        picture = write_examples(simulated, path.with_suffix(".png"), examples)
        console.print(f"examples: {picture}", soft_wrap=True)


def open_set(path: Path) -> PatternFile | VolumeDataset:
    """Simulated set of a file: patterns (CXI) or particles (HDF5)."""
    with h5py.File(path, "r") as file:
        holds_particles = ENTRY in file
    return VolumeDataset(path) if holds_particles else open_patterns(path, check=False)


def write_examples(simulated: PatternFile | VolumeDataset, path: Path, count: int) -> Path:
    """Write a figure of examples: patterns of every kind, patterns with their densities, or particles.

    Args:
        simulated: Set of patterns or of particles.
        path: PNG file to write.
        count: Number of examples to draw.
    """
    if isinstance(simulated, VolumeDataset):
        picture = _particles(simulated, count)
    else:
        picture = _structures(simulated, count) if DENSITY in simulated.images else _kinds(simulated, count)
    with atomic_write(path) as part:
        picture.savefig(part, format="png", dpi=_DOTS_PER_INCH)
    return path


def table_of_set(patterns: PatternFile) -> Table:
    """Table of the number of patterns of each kind, or of each structure, of a simulated set."""
    return _table_of_kinds(patterns) if KIND in patterns.labels else _table_of_structures(patterns)


def pick_examples(kind: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of the first frames of every kind, as evenly as the kinds allow, ordered by kind.

    Args:
        kind: (N,) int64 kind of each frame.
        count: Number of frames to choose.

    Returns:
        (n,) int64, n the smaller of count and N.
    """
    rank = np.empty(len(kind), dtype=np.int64)  # how many of its kind come before a frame
    for value in np.unique(kind):
        members = np.flatnonzero(kind == value)
        rank[members] = np.arange(len(members))
    chosen = np.lexsort((np.arange(len(kind)), kind, rank))[:count]
    return chosen[np.lexsort((chosen, kind[chosen]))]


def _structures(patterns: PatternFile, count: int) -> Figure:
    """The first patterns beside their densities, as many structures as possible."""
    structure, names = patterns.labels[STRUCTURE], structure_names(patterns)
    frames = np.sort(pick_examples(structure, count))
    captions = [f"#{n}  {names.get(int(i), f'structure {i}')}" for n, i in zip(frames, structure[frames], strict=True)]
    return density_figure(patterns, list(frames), captions)


def _kinds(patterns: PatternFile, count: int) -> Figure:
    """Some patterns of each kind, single hits first."""
    kind, usable = patterns.labels[KIND], patterns.labels[IS_SINGLE_HIT] == 1
    frames = pick_examples(kind, count)
    totals = patterns.read_stored(frames).sum(axis=(1, 2))
    captions = [
        Caption(f"{Kind(kind[frame]).name.lower()}, {total:,.0f} photons", SINGLE if usable[frame] else OTHER)
        for frame, total in zip(frames, totals, strict=True)
    ]
    return gallery_figure(collect_gallery(patterns, {"examples": frames}, whole=False), list(frames), captions)


def _particles(particles: VolumeDataset, count: int) -> Figure:
    """The first particles and their patterns."""
    batch = particles[list(range(min(count, _MOST_PARTICLES, len(particles))))]
    amplitude, phase, pattern, mask = (
        batch[name][:, 0].numpy() for name in (AMPLITUDE, PHASE, FOURIER_AMPLITUDE, MASK)
    )
    captions = [f"particle {number}" for number in range(len(amplitude))]
    return volume_figure(amplitude, phase, pattern**2, mask, captions)


def _table_of_kinds(patterns: PatternFile) -> Table:
    kind, usable = patterns.labels[KIND], patterns.labels[IS_SINGLE_HIT] == 1
    table = Table("kind", "patterns", "usable single hits", title=f"{len(patterns):,} patterns")
    for value in np.unique(kind):
        of_kind = kind == value
        table.add_row(Kind(value).name.lower(), f"{of_kind.sum():,}", f"{(of_kind & usable).sum():,}")
    return table


def _table_of_structures(patterns: PatternFile) -> Table:
    structure, count = np.unique(patterns.labels[STRUCTURE], return_counts=True)
    names = structure_names(patterns)
    table = Table("structure", "patterns", title=f"{len(patterns):,} patterns of {len(structure):,} structures")
    for number, patterns_of in list(zip(structure, count, strict=True))[:_ROWS]:
        table.add_row(names.get(int(number), str(number)), f"{patterns_of:,}")
    if len(structure) > _ROWS:
        table.add_row(f"{len(structure) - _ROWS:,} more", f"{count[_ROWS:].sum():,}")
    return table
