"""The tables that `describe` prints."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, FIELDS, IS_SINGLE_HIT, KIND, PARTICLE_ID, PHOTON_ENERGY, PIXEL_SIZE, Kind
from spi_lightning.io import PatternFile
from spi_lightning.notes import by_level
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.adu import estimate_gain, fano_factor

AT_ONCE: Final = 32
_BAR: Final = 24
_COUNTS: Final = 0.99  # share of pixels that look like counts in a file that holds some
_OCTAVES: Final = 34  # 0, 1, 2-3, 4-7, ... up to the largest int32
_IS_SINGLE_HIT: Final = {1: "single hit", 0: "not", -1: "unknown"}
_KIND: Final = {**{int(kind): kind.name.lower() for kind in Kind}, -1: "unknown"}


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def overview(file: PatternFile, unit: str) -> Table:
    """Format, shape, types, mask, labels, geometry and what the reader chose."""
    table = _table(str(file.path))
    patterns, rows, columns = file.shape
    table.add_row("format", file.format)
    table.add_row("patterns", f"{patterns} of {rows} x {columns} pixels, stored as {file.source.dtype}")
    table.add_row("unit", unit)
    table.add_row("mask", _mask(file))
    for name, values in file.labels.items():
        unit = FIELDS[name].unit if name in FIELDS else "1"
        shape = " x ".join(str(n) for n in values.shape)
        table.add_row(name, f"{shape} {values.dtype}{f', in {unit}' if unit != '1' else ''}: {_label(name, values)}")
    for name, value in file.geometry.items():
        if name not in file.labels:
            table.add_row(name, f"{_range(np.asarray(value))} {FIELDS[name].unit}")
    table.add_row("reach", reach(file))
    for note in by_level(file.notes):
        table.add_row("note", str(note))
    return table


def _mask(file: PatternFile) -> str:
    """Share of pixels measured."""
    measured = file.read_mask(np.arange(min(len(file), AT_ONCE)))
    alike = "one for each pattern" if file.masks_differ else "one for all patterns"
    if not file.masks_differ and file.shared_mask is None:
        return "none: all pixels count as measured"
    return f"{alike}, True = measured: {measured.mean():.2%} of the pixels"


def _label(name: str, values: NDArray[Any]) -> str:
    """Counts of classes, or the range of a quantity."""
    if name in (IS_SINGLE_HIT, KIND):
        words = _IS_SINGLE_HIT if name == IS_SINGLE_HIT else _KIND
        found = zip(*np.unique(values, return_counts=True), strict=True)
        return ", ".join(f"{count} {words[int(value)]} ({value})" for value, count in found)
    return f"{len(np.unique(values))} different" if name == PARTICLE_ID else _range(values)


def _range(values: NDArray[Any]) -> str:
    """One value, a few, or smallest to largest."""
    if values.size <= 3:
        return ", ".join(f"{value:.6g}" for value in values.ravel())
    return f"{values.min():.6g} to {values.max():.6g}"


def reach(file: PatternFile) -> str:
    """Resolution at the detector's edge and the largest particle it samples, if the geometry is known."""
    missing = [name for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY) if name not in file.geometry]
    if missing:
        return f"unknown without {', '.join(missing)}"
    distance, pixel, energy = (float(np.mean(file.geometry[name])) for name in (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY))
    wavelength, edge = wavelength_from_energy(energy), min(file.shape[1:]) / 2 * pixel
    q = 2 * np.sin(np.arctan(edge / distance) / 2) / wavelength
    widest = wavelength * distance / (2 * pixel)
    return f"full period {1e9 / q:.3g} nm at the edge; two pixels a fringe for particles of {1e9 * widest:.3g} nm"


def histogram(file: PatternFile, sample: NDArray[np.int64]) -> Table:
    """How many pixels hold how many photons, and the photons of a pattern, over the sampled frames.

    Raises:
        UserError: A frame holds no photon counts.
    """
    pixels = np.zeros(_OCTAVES, dtype=np.int64)
    totals, largest = [], 0.0
    for start in range(0, len(sample), AT_ONCE):
        index = sample[start : start + AT_ONCE]
        photons = file.read(index)
        octaves = np.frexp(photons)[1].clip(0, _OCTAVES - 1)  # 0 for no photon, 1 for one, 2 for two and three, ...
        pixels += np.bincount(octaves[file.read_mask(index)], minlength=_OCTAVES)
        totals.append(photons.sum(axis=(1, 2), dtype=np.float64))
        largest = max(largest, float(photons.max()))
    total, measured = np.concatenate(totals), max(1, int(pixels.sum()))
    table = _table(f"photons in {len(sample)} of {len(file)} patterns; photons a pixel and share of the pixels")
    least, median, most = np.percentile(total, [0, 50, 100])
    table.add_row("a pattern", f"{least:.0f} / {median:.0f} / {most:.0f} (least / median / most)")
    table.add_row("a pixel", f"{total.sum() / measured:.4g} on average, {largest:.0f} at most")
    table.add_row("variance/mean", _noise(file, sample))
    for octave in range(int(np.flatnonzero(pixels)[-1]) + 1 if pixels.any() else 0):
        first, last = (0, 0) if octave == 0 else (2 ** (octave - 1), 2**octave - 1)
        bar = "#" * round(_BAR * np.log1p(pixels[octave]) / np.log1p(pixels.max()))
        name = f"{first}" if first == last else f"{first} to {last}"
        table.add_row(name, f"{bar:{_BAR}} {pixels[octave] / measured:9.4%}")
    return table


def _few(file: PatternFile, sample: NDArray[np.int64]) -> tuple[NDArray[np.int64], torch.Tensor]:
    """A few of the sampled frames and their masks."""
    some = sample[:: max(1, len(sample) // AT_ONCE)][:AT_ONCE]
    return some, torch.from_numpy(np.array(file.read_mask(some)))


def _noise(file: PatternFile, sample: NDArray[np.int64]) -> str:
    """Test of Poisson statistics on a few frames."""
    some, mask = _few(file, sample)
    fano = fano_factor(torch.from_numpy(file.read(some)), mask)
    if np.isnan(fano):
        return "too few photons a pixel to tell"
    says = "as of Poisson photons"
    if fano < 0.8:
        says = f"less than of Poisson photons: a count may be {1 / max(fano, 0.01):.1f} photons, or pixels are blurred"
    elif fano > 1.25:
        says = "more than of smooth Poisson patterns: they change within three pixels, a photon is several counts, or "
        says += "there is other noise"
    return f"{fano:.2f} between neighbours, {says}"


def values(file: PatternFile, sample: NDArray[np.int64]) -> str:
    """Range of the stored values where measured, on a few frames."""
    some, mask = _few(file, sample)
    stored = file.read_stored(some)[mask.numpy()]
    finite = stored[np.isfinite(stored)]
    return f"{finite.min():.6g} to {finite.max():.6g} in its own unit" if finite.size else "no numbers"


def _whole(stored: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n,) bool of the measured pixels, True where the stored value could be a count."""
    return (stored.isfinite() & (stored >= 0) & (stored == stored.round()))[mask]


def holds_counts(file: PatternFile, sample: NDArray[np.int64]) -> bool:
    """Whether a file that is refused as photons holds counts, with a few broken pixels."""
    some, mask = _few(file, sample)
    return float(_whole(torch.from_numpy(file.read_stored(some)), mask).double().mean()) > _COUNTS


def gain(file: PatternFile, sample: NDArray[np.int64]) -> str:
    """Estimate ADU per photon of a file of detector units, in words."""
    some, mask = _few(file, sample)
    stored = torch.from_numpy(file.read_stored(some))
    counts = _whole(stored, mask)
    if counts.double().mean() > _COUNTS:
        return (
            f"all but {int((~counts).sum())} of {counts.numel()} pixels are whole numbers from 0 on: these are photons "
            "with a few broken pixels, to be masked, and no detector units"
        )
    if not (stored[mask] < 0).any():
        return (
            "no value is negative and many are no whole numbers: these may be intensities in a unit of their own, "
            "simulated, scaled or averaged, of which no gain can be estimated; hits need counts, or adu_per_photon= "
            "to make them; a single pattern of intensities is phased by data=one_frame"
        )
    try:
        found = estimate_gain(stored, mask)
    except UserError as error:
        return str(error)
    return (
        f"single-photon peak {found.adu_per_photon:.4g} ADU above the pedestal at {found.pedestal:.3g} ADU, noise "
        f"{found.noise:.3g} ADU; if these are detector units, give adu_per_photon={found.adu_per_photon:.4g}"
    )
