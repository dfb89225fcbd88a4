"""Say what is in a file of patterns, before anything is trained on it or asked of it.

python -m spi_lightning.apps.describe FILE [photons=KEY label=KEY mask=KEY particle_id=KEY index=KEY]
    [mask_convention=auto|cxi|good|bad|dragonfly] [adu_per_photon=GAIN] [distance=M pixel_size=M photon_energy=EV]
    [--per-frame OUT.csv] [--frames N]
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import numpy as np

from spi_lightning.apps import describe_tables
from spi_lightning.apps.process.plain_app import run_plain
from spi_lightning.apps.process.plain_arguments import PlainParser, names_kept
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, KIND, PARTICLE_ID
from spi_lightning.files import atomic_write
from spi_lightning.io import FORMATS, PatternFile, PatternKeys, open_patterns
from spi_lightning.io.patterns.open_patterns import GEOMETRY

_SETTINGS: Final = (*(field.name for field in fields(PatternKeys)), "mask_convention", "adu_per_photon", *GEOMETRY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 2 after one line on stderr about a mistake in the input."""
    words = names_kept(sys.argv[1:] if arguments is None else arguments)
    return run_plain(lambda: describe(_parser().parse_intermixed_args(words)))


def _parser() -> argparse.ArgumentParser:
    summary = (__doc__ or "").split("\n")[0]
    parser = PlainParser(prog="python -m spi_lightning.apps.describe", description=summary)
    parser.add_argument("file", help=FORMATS)
    parser.add_argument(
        "settings", nargs="*", metavar="NAME=VALUE", help=f"{', '.join(_SETTINGS)}: as evaluate's data.*"
    )
    parser.add_argument("--per-frame", type=Path, metavar="OUT.csv", help="hit, beam centre and size of every frame")
    parser.add_argument("--frames", type=int, default=1000, help="frames, evenly spread, that the histogram is made of")
    return parser


def describe(options: argparse.Namespace) -> None:
    """Open, print, and write the columns per frame if asked for; raises UserError on a mistake in the input."""
    settings = _settings(options.settings)
    adu_per_photon = _number("adu_per_photon", settings)
    geometry = {name: _number(name, settings) for name in GEOMETRY}
    convention = settings.pop("mask_convention", "auto")
    if options.frames < 1:
        raise UserError(f"--frames={options.frames} must be at least 1")
    path = options.file.removeprefix("data.path=")  # as messages of the readers name it
    file = open_patterns(path, PatternKeys(**settings), convention, adu_per_photon, False, (), geometry)
    sample = np.unique(np.linspace(0, len(file) - 1, min(len(file), options.frames)).astype(np.int64))
    console = Terminal()
    try:
        histogram = describe_tables.histogram(file, sample)
    except UserError as error:
        console.print(describe_tables.overview(file, f"not photons, see below: {describe_tables.values(file, sample)}"))
        if adu_per_photon is None:
            console.print(describe_tables.gain(file, sample), soft_wrap=True)
        if adu_per_photon is not None or options.per_frame or describe_tables.holds_counts(file, sample):
            raise error from None
        console.print(f"note: to find hits: {error}", markup=False, soft_wrap=True)
        return
    unit = "photons" if adu_per_photon is None else f"detector units, {adu_per_photon:g} a photon"
    console.print(describe_tables.overview(file, unit))
    console.print(histogram)
    if options.per_frame:
        _write_columns(file, options.per_frame, console)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE pairs; data.keys.NAME and data.NAME, as evaluate takes them, mean the same."""
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.removeprefix("data.").removeprefix("keys.").removeprefix("geometry.")
        if not equals or name not in _SETTINGS:
            raise UserError(f"{pair!r} is no setting; settings are NAME=VALUE with NAME one of {', '.join(_SETTINGS)}")
        settings[name] = value
    return settings


def _number(name: str, settings: dict[str, str]) -> float | None:
    """Take a setting out as a number; None where it is not given."""
    text = settings.pop(name, None)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError(f"{name}={text} is no number") from None


def _write_columns(file: PatternFile, path: Path, console: Terminal) -> None:
    """Write hits, beam centres and sizes of all frames as CSV, beside their labels; what is not known is left empty."""
    from spi_lightning.evaluation.hits.frame_columns import (
        measure_frames,  # brings Lightning, which a mere look does not need
    )

    with console.status(f"{len(file)} frames"):
        columns = {FRAME: np.arange(len(file)), **measure_frames(file)}
    columns["is_hit"] = columns["is_hit"].astype(np.int64)
    columns.update((name, file.labels[name]) for name in (IS_SINGLE_HIT, KIND, PARTICLE_ID) if name in file.labels)
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            writer.writerow([_cell(value) for value in row])
    if "diameter_nm" not in columns:
        console.print(f"no column of sizes: {describe_tables.reach(file)}", soft_wrap=True)
    hits = int(columns["is_hit"].sum())
    console.print(f"{len(file)} frames, {hits} hits: {path}", highlight=False, soft_wrap=True)


def _cell(value: float | int) -> str:
    """Six digits of a number, nothing for NaN."""
    return "" if value != value else f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
