"""Options of the command line in messages and notes, as arguments of Python: ``data.bin=2`` becomes ``bin=2``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

P = ParamSpec("P")
R = TypeVar("R")
_GROUPS: Final = r"(?:data|volumes|preprocess|phasing|decision)\.(?:keys\.|preparation\.|geometry\.)?"
_OPTIONS: Final = (
    "abstain_within|adu_per_photon|angle|bad_pixels|beam_centre|beam_column|beam_row|bin|constraint|counts|crop|dark|"
    "defects|delta_deg|distance|frame|gamma_deg|geometry|halves|held_out|index|label|mask|mask_convention|masks|monitor|"
    "normalise|parasitic_peaks|path|photon_energy|photons|pixel_size|pixel_size_rows|preparation|recipe|reflection|"
    "region|saturation|size|speckle|starts|step_deg|threshold|whitefield"
)
_WORD: Final = re.compile(rf"(?<![\w./]){_GROUPS}(?=(?:{_OPTIONS})(?!\w))")
_SCAN: Final = re.compile(r"(?<![\w./])data=one_scan(?: data\.path=\w+)?")


def python_words(text: str) -> str:
    """A sentence with the names of arguments instead of those of the command line."""
    return _WORD.sub("", _SCAN.sub("measure_scan(...)", text))


def in_python(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator of public functions: their errors, and the notes of what they return, name arguments of Python."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = function(*args, **kwargs)
        except UserError as error:
            raise UserError(python_words(str(error))) from error.__cause__
        return cast(R, _noted(result))

    return called


def _noted(result: Any) -> Any:
    notes = getattr(result, "notes", ())
    words = [replace(note, text=python_words(note.text)) if isinstance(note, Note) else note for note in notes]
    if isinstance(notes, list):
        notes[:] = words
    elif words and is_dataclass(result) and not isinstance(result, type):
        return replace(result, notes=tuple(words))
    return result
