"""Describe a file of patterns, before anything is trained on it or evaluated with it.

python -m spi_lightning.apps.describe FILE [photons=KEY label=KEY mask=KEY particle_id=KEY index=KEY]
    [mask_convention=auto|cxi|good|bad|dragonfly] [adu_per_photon=GAIN] [distance=M pixel_size=M photon_energy=EV]
    [--per-frame OUT.csv] [--frames N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from hydra.utils import get_object

from spi_lightning.apps.process.plain_app import PlainParser, names_kept
from spi_lightning.errors import UserError
from spi_lightning.io import FORMATS, PatternKeys, open_patterns
from spi_lightning.io.patterns.open_patterns import GEOMETRY
from spi_lightning.mistakes import run_plain
from spi_lightning.reports.contents import print_contents, write_frames

_SETTINGS: Final = (*(field.name for field in fields(PatternKeys)), "mask_convention", "adu_per_photon", *GEOMETRY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 2 after one line on stderr about a mistake in the input."""
    parser = PlainParser(prog="python -m spi_lightning.apps.describe", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", help=FORMATS)
    parser.add_argument(
        "settings", nargs="*", metavar="NAME=VALUE", help=f"{', '.join(_SETTINGS)}: as data.* elsewhere"
    )
    parser.add_argument("--per-frame", type=Path, metavar="OUT.csv", help="hit, beam centre and size of every frame")
    parser.add_argument("--frames", type=int, default=1000, help="frames, evenly spread, that the histogram is made of")
    words = names_kept(sys.argv[1:] if arguments is None else arguments)
    return run_plain(lambda: describe(parser.parse_intermixed_args(words)))


def describe(options: argparse.Namespace) -> None:
    """Print what a file holds, and write the columns of every frame with ``--per-frame``; UserError for a mistake."""
    settings = _settings(options.settings)
    adu_per_photon = _number("adu_per_photon", settings)
    geometry = {name: _number(name, settings) for name in GEOMETRY}
    convention = settings.pop("mask_convention", "auto")
    if options.frames < 1:
        raise UserError(f"--frames={options.frames} must be at least 1")
    path = options.file.removeprefix("data.path=")  # as messages of the readers name it
    reader = _function(settings.pop("reader", None))
    file = open_patterns(path, PatternKeys(reader=reader, **settings), convention, adu_per_photon, False, (), geometry)
    print_contents(file, options.frames, adu_per_photon, counted=options.per_frame is not None)
    if options.per_frame:
        write_frames(file, options.per_frame)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE pairs; data.keys.NAME and data.NAME, as evaluate takes them, mean the same."""
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.removeprefix("data.").removeprefix("keys.").removeprefix("geometry.")
        if not equals or name not in _SETTINGS:
            raise UserError(f"{pair!r} is not a setting; write NAME=VALUE with NAME one of {', '.join(_SETTINGS)}")
        settings[name] = value
    return settings


def _function(name: str | None) -> Any:
    """The function that a full name such as mylab.raw.open_raw leads to; UserError where it leads to none."""
    try:
        return None if name is None else get_object(name)
    except Exception as error:  # whatever importing a module raises
        raise UserError(
            f"reader={name} leads to no function; its package must be importable, e.g. lie in PYTHONPATH"
        ) from error


def _number(name: str, settings: dict[str, str]) -> float | None:
    """Take a setting out as a number; None where it is absent."""
    text = settings.pop(name, None)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError(f"{name}={text} is not a number") from None


if __name__ == "__main__":
    sys.exit(main())
