"""Answers kept on disk under the hash of all they depend on, so that adding a method does not repeat the others."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

import spi_lightning
from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.cost import Cost, measured
from spi_lightning.results.hit_answer import Notes

T = TypeVar("T")
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Kept(Generic[T]):
    """An answer, what it cost when it was made, and whether it was read back."""

    answer: T
    cost: Cost
    cached: bool


class AnswerCache:
    """A folder of answers, one .npz file each, with what their methods said and warned of.

    Args:
        folder: Made when needed; None keeps nothing.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._last: tuple[PatternFile, str] | None = None

    def path(self, *parts: Any) -> Path | None:
        """Where an answer is kept; None without a folder.

        Args:
            parts: Plain data, or pattern files, of which the path and the content count: all that tells this answer
                from all others, such as the settings of a method or the hash of its checkpoint.

        Raises:
            UserError: A frame cannot be read.
        """
        if self.folder is None:
            return None
        plain = [self._of_file(part) if isinstance(part, PatternFile) else part for part in parts]
        text = json.dumps([code_hash(), plain], sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"

    def __call__(
        self,
        path: Path | None,
        notes: Notes | None,
        make: Callable[[], T],
        pack: Callable[[T], Arrays],
        unpack: Callable[[Arrays, Cost], T],
    ) -> Kept[T]:
        """Read an answer back, with all that was said when it was made; else make and keep it.

        Args:
            path: See above; None makes the answer and keeps nothing.
            notes: Where the method says what is to be known of its answer.
            make: Makes the answer.
            pack: Turns it into arrays.
            unpack: Turns arrays into the answer again; KeyError or ValueError where it cannot.

        Raises:
            UserError: The answer cannot be written, or what ``make`` raises.
        """
        if (stored := _read(path)) is not None:
            arrays, cost, said = stored
            try:
                answer = unpack(arrays, cost)
            except (KeyError, ValueError, TypeError, IndexError):
                pass  # damaged: made anew
            else:
                _say_again(said, notes)
                return Kept(answer, cost, cached=True)
        notes = Notes() if notes is None else notes
        with warnings.catch_warnings(record=True) as warned, notes.heard() as lines, measured() as cost:
            answer = make()
        said = {"notes": [note.plain for note in lines], "warnings": _messages(warned)}
        for one in warned:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        if path is not None:
            _write(path, {"cost": json.dumps(asdict(cost)), "said": json.dumps(said), **pack(answer)})
        return Kept(answer, cost, cached=False)

    def _of_file(self, patterns: PatternFile) -> list[str]:
        """Its path, which notes may name, and the hash of what it holds, computed once for all methods."""
        if self._last is None or self._last[0] is not patterns:
            self._last = patterns, content_key(patterns)
        return [str(patterns.path), self._last[1]]


def _messages(warned: list[warnings.WarningMessage]) -> list[str]:
    """What was warned of, each line once."""
    return list(dict.fromkeys(str(one.message) for one in warned if issubclass(one.category, UserWarning)))


def _say_again(said: Mapping[str, list[Any]], notes: Notes | None) -> None:
    for line in said["notes"]:
        if notes is not None:
            notes.say(Note.read(line))
    for line in said["warnings"]:
        warnings.warn(line, stacklevel=3)


def _read(path: Path | None) -> tuple[dict[str, NDArray[Any]], Cost, dict[str, list[Any]]] | None:
    """Arrays, cost and what was said; None if there are none, or the file is damaged."""
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored}
        said = json.loads(str(arrays.pop("said")))
        cost = Cost(**json.loads(str(arrays.pop("cost"))))
        return arrays, cost, {"notes": said["notes"], "warnings": [str(line) for line in said["warnings"]]}
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    """Keep arrays; the file appears whole or not at all."""
    try:
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)
    except UserError as error:
        raise UserError(f"{error}; cache=null keeps no answers") from error


@cache
def code_hash() -> str:
    """Hash of the package's source: a changed formula never reuses an old answer."""
    digest = hashlib.sha256()
    for source in sorted(Path(spi_lightning.__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
