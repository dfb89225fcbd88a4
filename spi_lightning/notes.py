"""Notes: what a user should know of a result, with its level and its subject, so that no code reads sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """How much a note matters; a higher one is shown first."""

    NOTE = 0
    """A choice that was made on the way, or a property of the data."""
    HINT = 1
    """A setting that would probably give a better result."""
    WARNING = 2
    """A reason to doubt the result."""


@dataclass(frozen=True)
class Note:
    """One sentence on a result, for people; code looks at its level and its subject, never into its text.

    Attributes:
        level: How much it matters.
        subject: What it is about: the name of a method or a file, "beam centre"; empty where the text alone tells.
        text: The sentence, without level and subject and without a final period.
    """

    level: Level
    subject: str
    text: str

    @classmethod
    def of(cls, text: str, subject: str = "") -> Note:
        """A note of the lowest level."""
        return cls(Level.NOTE, subject, text)

    @classmethod
    def hint(cls, text: str, subject: str = "") -> Note:
        """A note that names a better setting."""
        return cls(Level.HINT, subject, text)

    @classmethod
    def warning(cls, text: str, subject: str = "") -> Note:
        """A note that names a reason to doubt the result."""
        return cls(Level.WARNING, subject, text)

    @classmethod
    def read(cls, plain: Iterable[Any]) -> Note:
        """A note as `plain` wrote it; ValueError, TypeError or KeyError where it is none."""
        level, subject, text = plain
        return cls(Level[level], str(subject), str(text))

    def about(self, subject: str) -> Note:
        """The same note under a subject, its own one in front of its text; unchanged where that is its subject."""
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
        """The line that a user reads: ``WARNING: subject: text``, without the level of a plain note."""
        level = "" if self.level is Level.NOTE else self.level.name
        return ": ".join(part for part in (level, self.subject, self.text) if part)


class NoteWarning(UserWarning):
    """A note that is given where no result is at hand, as a Python warning; whoever asked for the result keeps it."""

    def __init__(self, note: Note) -> None:
        super().__init__(str(note))
        self.note = note


def by_level(notes: Iterable[Note], least: Level = Level.NOTE) -> list[Note]:
    """Notes of a level and above, each once, those that matter most first, else in the order given."""
    return sorted(dict.fromkeys(note for note in notes if note.level >= least), key=lambda note: -note.level)


def note_lines(notes: Iterable[Note], least: Level = Level.NOTE) -> list[str]:
    """The lines of notes of a level and above, see `by_level`."""
    return [str(note) for note in by_level(notes, least)]
