"""Options of the command line in messages and notes, as arguments of Python: ``data.bin=2`` becomes ``bin=2``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
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
    "normalise|parasitic_peaks|path|photon_energy|photons|pixel_size|pixel_size_rows|positive|preparation|recipe|reflection|"
    "region|saturation|size|speckle|starts|step_deg|threshold|whitefield"
)
_WORD: Final = re.compile(rf"(?<![\w./]){_GROUPS}(?=(?:{_OPTIONS})(?!\w))")
_OF_NETWORK: Final = re.compile(r"preprocess\.\w+=(?:\[[^\]]*\]|[\w.]+)(?: preprocess\.\w+=(?:\[[^\]]*\]|[\w.]+))*")
_SCAN: Final = re.compile(r"(?<![\w./])data=one_scan(?: data\.path=\w+)?")


def python_words(text: str) -> str:
    """A sentence with the names of arguments instead of those of the command line."""
    text = _OF_NETWORK.sub(lambda words: f"load(RUN, {_arguments(words[0])})", text)
    return _WORD.sub("", _SCAN.sub("measure_scan(...)", text))


def _arguments(words: str) -> str:
    """Settings of a network's input as arguments of load: ``preprocess.bin=2`` as ``bin=2``."""
    return words.replace("preprocess.", "").replace(" ", ", ").replace("null", "None")


def require_words(function: str, given: Iterable[str], known: Collection[str], what: str = "it takes") -> None:
    """UserError for the first of some arguments that a function does not know, with the one that may be meant.

    Args:
        function: Name of the function, for the message.
        given: Names of the arguments that it was given beside those of its signature.
        known: Names that it takes.
        what: Words before the list of these names.
    """
    for word in given:
        if word not in known:
            near = get_close_matches(word, known, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"{function}: {word} is unknown; {meant}{what} {', '.join(known)}")


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
