"""Notes on results for users, with a level and a subject by which code sorts them; code never searches their texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """Importance of a note; the highest are displayed first."""

    NOTE = 0
    """A choice of the program, or a property of the data."""
    HINT = 1
    """A setting that would probably improve the result."""
    WARNING = 2
    """A reason to doubt the result."""


@dataclass(frozen=True, repr=False)
class Note:
    """One sentence on a result.

    Attributes:
        level: Importance of the note.
        subject: Name of a method, a file or a topic such as "beam centre"; empty if the text stands alone.
        text: Sentence without level, subject and final period.
    """

    level: Level
    subject: str
    text: str

    @classmethod
    def of(cls, text: str, subject: str = "") -> Note:
        """Note of the lowest level."""
        return cls(Level.NOTE, subject, text)

    @classmethod
    def hint(cls, text: str, subject: str = "") -> Note:
        """Note that names a better setting."""
        return cls(Level.HINT, subject, text)

    @classmethod
    def warning(cls, text: str, subject: str = "") -> Note:
        """Note that names a reason to doubt the result."""
        return cls(Level.WARNING, subject, text)

    @classmethod
    def read(cls, plain: Iterable[Any]) -> Note:
        """Note from its `plain` form; ValueError, TypeError or KeyError for anything else."""
        level, subject, text = plain
        return cls(Level[level], str(subject), str(text))

    def about(self, subject: str) -> Note:
        """Note under another subject, with its own subject before the text; unchanged if the subjects are equal."""
        return (
            self
            if self.subject == subject
            else replace(self, subject=subject, text=": ".join(filter(None, (self.subject, self.text))))
        )

    @property
    def plain(self) -> tuple[str, str, str]:
        """Name of the level, subject and text, for JSON and HDF5."""
        return self.level.name, self.subject, self.text

    def __str__(self) -> str:
        """Line for the user, ``WARNING: subject: text``, without the level for a note of the lowest level."""
        level = "" if self.level is Level.NOTE else self.level.name
        return ": ".join(part for part in (level, self.subject, self.text) if part)

    __repr__ = __str__


class NoteWarning(UserWarning):
    """Note as a Python warning, raised where no result is at hand and added to the result by the caller."""

    def __init__(self, note: Note) -> None:
        super().__init__(str(note))
        self.note = note


def by_level(notes: Iterable[Note], least: Level = Level.NOTE) -> list[Note]:
    """Notes of a level and above without duplicates, the most important first, otherwise in their order."""
    return sorted(dict.fromkeys(note for note in notes if note.level >= least), key=lambda note: -note.level)


def note_lines(notes: Iterable[Note], least: Level = Level.NOTE) -> list[str]:
    """Lines of the notes of a level and above, sorted as by `by_level`."""
    return [str(note) for note in by_level(notes, least)]
