"""Contents of a pattern file on the terminal: tables, and the columns of its frames as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.fields import DIAMETER_NM, FIELDS, FRAME, IS_HIT, IS_SINGLE_HIT, KIND, PARTICLE_ID, Kind
from spi_lightning.io import PatternFile
from spi_lightning.io.contents import (
    PhotonStatistics,
    StoredValues,
    measured_share,
    missing_geometry,
    photon_statistics,
    reach_of,
)
from spi_lightning.io.input_window import USUAL_SIZE, window_line
from spi_lightning.io.patterns.assembly import sample_indices
from spi_lightning.notes import by_level
from spi_lightning.results.hit_columns import write_columns

_BAR: Final = 24  # characters
_SUB_POISSON, _SUPER_POISSON = 0.8, 1.25  # variance over mean below and above which photons are not Poisson
_IS_SINGLE_HIT: Final = {1: "single hit", 0: "not", -1: "unknown"}
_KIND: Final = {**{int(kind): kind.name.lower() for kind in Kind}, -1: "unknown"}


def print_contents(
    file: PatternFile, most: int = 1000, adu_per_photon: float | None = None, counted: bool = False
) -> None:
    """Print what a file holds: its tables, and the photons of some patterns or what its values may be instead.

    Args:
        file: Pattern file to describe.
        most: Number of patterns, evenly spread, that the photons are counted in.
        adu_per_photon: Detector units of a photon, for files that hold those.
        counted: Whether the caller needs counts of photons.

    Raises:
        UserError: The values are not photons although they should be.
    """
    frames, console = sample_indices(len(file), most), Terminal()
    try:
        statistics = photon_statistics(file, frames)
    except UserError as error:
        stored = StoredValues(file, frames)
        console.print(contents_table(file, f"pixels are not photons: {values_line(stored)}"))
        if adu_per_photon is None:
            console.print(gain_line(stored), soft_wrap=True)
        if adu_per_photon is not None or counted or stored.are_counts:
            raise error from None
        console.print(f"note: to find hits: {error}", markup=False, soft_wrap=True)
        return
    unit = "photons" if adu_per_photon is None else f"detector units, {adu_per_photon:g} a photon"
    console.print(contents_table(file, unit))
    console.print(photon_table(statistics, len(file)))
    if line := window_line(file, USUAL_SIZE):
        console.print(f"for networks of {USUAL_SIZE} x {USUAL_SIZE} pixels: {line}", highlight=False, soft_wrap=True)


def write_frames(file: PatternFile, path: Path) -> None:
    """Write hits, beam centres and sizes of all frames as CSV, beside their labels, and print how many are hits."""
    from spi_lightning.data.frame_columns import measure_frames  # imports Lightning, which takes seconds

    console = Terminal()
    with console.status(f"{len(file)} frames"):
        columns = {FRAME: np.arange(len(file)), **measure_frames(file)}
    labels = {name: file.labels[name] for name in (IS_SINGLE_HIT, KIND, PARTICLE_ID) if name in file.labels}
    write_columns(path, columns | labels)
    if DIAMETER_NM not in columns:
        console.print(f"no column of sizes: {reach_line(file)}", soft_wrap=True)
    console.print(f"{len(file)} frames, {columns[IS_HIT].sum()} hits: {path}", highlight=False, soft_wrap=True)


def contents_table(file: PatternFile, unit: str) -> Table:
    """Table of format, shape, types, mask, labels, geometry and notes of the reader.

    Args:
        file: Pattern file to describe.
        unit: Unit of the values in words, such as "photons".
    """
    table = _two_columns(str(file.path))
    patterns, rows, columns = file.shape
    table.add_row("format", file.format)
    table.add_row("patterns", f"{patterns} of {rows} x {columns} pixels, stored as {file.source.dtype}")
    table.add_row("unit", unit)
    table.add_row("mask", _mask_line(file))
    for name, values in file.labels.items():
        unit = FIELDS[name].unit if name in FIELDS else "1"
        shape = " x ".join(str(n) for n in values.shape)
        table.add_row(name, f"{shape} {values.dtype}{f', in {unit}' if unit != '1' else ''}: {_label(name, values)}")
    for name, value in file.geometry.items():
        if name not in file.labels:
            table.add_row(name, f"{_range(np.asarray(value))} {FIELDS[name].unit}")
    table.add_row("reach", reach_line(file))
    for note in by_level(file.notes):
        table.add_row("note", str(note))
    return table


def photon_table(statistics: PhotonStatistics, patterns: int) -> Table:
    """Table of the photons of a pattern and of a pixel, with a histogram.

    Args:
        statistics: Photon statistics of some patterns.
        patterns: Number of patterns in the file.
    """
    counted, pixels = len(statistics.totals), statistics.pixels
    table = _two_columns(f"photons in {counted} of {patterns} patterns; photons a pixel and share of the pixels")
    least, median, most = np.percentile(statistics.totals, [0, 50, 100])
    table.add_row("a pattern", f"{least:.0f} / {median:.0f} / {most:.0f} (least / median / most)")
    table.add_row("a pixel", f"{statistics.mean:.4g} on average, {statistics.largest:.0f} at most")
    table.add_row("variance/mean", _noise_line(statistics.fano))
    for octave in range(int(np.flatnonzero(pixels)[-1]) + 1 if pixels.any() else 0):
        first, last = (0, 0) if octave == 0 else (2 ** (octave - 1), 2**octave - 1)
        bar = "#" * round(_BAR * np.log1p(pixels[octave]) / np.log1p(pixels.max()))
        share = pixels[octave] / max(1, int(pixels.sum()))
        table.add_row(f"{first}" if first == last else f"{first} to {last}", f"{bar:{_BAR}} {share:9.4%}")
    return table


def reach_line(file: PatternFile) -> str:
    """Resolution at the detector's edge and the largest particle it samples, if the geometry is known."""
    reach = reach_of(file)
    if reach is None:
        return f"unknown without {', '.join(missing_geometry(file))}"
    return (
        f"full period {1e9 * reach.period:.3g} nm at the edge; two pixels a fringe for particles of "
        f"{1e9 * reach.diameter:.3g} nm"
    )


def values_line(stored: StoredValues) -> str:
    """Range of the stored values over measured pixels."""
    finite = stored.measured[stored.measured.isfinite()]
    return f"{finite.min():.6g} to {finite.max():.6g} in its own unit" if len(finite) else "no numbers"


def gain_line(stored: StoredValues) -> str:
    """Estimate of detector units (ADU) per photon, or the reason why there is none."""
    broken = ~stored.could_be_counts
    if stored.are_counts:
        return (
            f"all but {int(broken.sum())} of {len(broken)} pixels are whole numbers from 0 on: these are photons "
            "with a few broken pixels, to be masked, and no detector units"
        )
    if not (stored.measured < 0).any():
        return (
            "no value is negative and many are not whole numbers: these may be intensities in a unit of their own, "
            "simulated, scaled or averaged, of which no gain can be estimated; hits need counts, or "
            "data.adu_per_photon= to make them; a single pattern of intensities is phased by data=one_frame"
        )
    try:
        found = stored.gain()
    except UserError as error:
        return str(error)
    return (
        f"single-photon peak {found.adu_per_photon:.4g} ADU above the pedestal at {found.pedestal:.3g} ADU, noise "
        f"{found.noise:.3g} ADU; if these are detector units, set data.adu_per_photon={found.adu_per_photon:.4g}"
    )


def _two_columns(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _mask_line(file: PatternFile) -> str:
    share = measured_share(file)
    if share is None:
        return "none: all pixels count as measured"
    return (
        f"one for {'each pattern' if file.masks_differ else 'all patterns'}, True = measured: {share:.2%} of the pixels"
    )


def _label(name: str, values: NDArray[Any]) -> str:
    """Counts of classes, or the range of a quantity."""
    if name in (IS_SINGLE_HIT, KIND):
        words = _IS_SINGLE_HIT if name == IS_SINGLE_HIT else _KIND
        found = zip(*np.unique(values, return_counts=True), strict=True)
        return ", ".join(f"{count} {words[int(value)]} ({value})" for value, count in found)
    return f"{len(np.unique(values))} different" if name == PARTICLE_ID else _range(values)


def _range(values: NDArray[Any]) -> str:
    """Up to three values, else smallest to largest."""
    if values.size <= 3:
        return ", ".join(f"{value:.6g}" for value in values.ravel())
    return f"{values.min():.6g} to {values.max():.6g}"


def _noise_line(fano: float) -> str:
    """Test of Poisson statistics in words."""
    if np.isnan(fano):
        return "too few photons a pixel for a test"
    verdict = "as of Poisson photons"
    if fano < _SUB_POISSON:
        photons = 1 / max(fano, 0.01)
        verdict = f"less than of Poisson photons: a count may be {photons:.1f} photons, or pixels are blurred"
    elif fano > _SUPER_POISSON:
        verdict = (
            "more than of smooth Poisson patterns: they change within three pixels, a photon is several counts, or "
            "there is other noise"
        )
    return f"{fano:.2f} between neighbours, {verdict}"
