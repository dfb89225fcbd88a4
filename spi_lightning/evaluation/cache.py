"""Answers kept on disk under the fingerprint of all that decides them, with their notes and cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import spi_lightning
from spi_lightning import codec
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import fingerprint
from spi_lightning.locations import CACHE
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.answered import Answered

from .protocol import Method

AnswerT = TypeVar("AnswerT")
PartT = TypeVar("PartT")


@dataclass(frozen=True)
class Cache:
    """Folder of answers, one file each. Several processes may use it: a file appears whole, and the later one wins.

    Args:
        folder: Folder of the answers, made when needed; None: no answer is kept.
    """

    folder: Path | None = None

    @classmethod
    def named(cls, word: str | None) -> Cache:
        """Cache of the setting ``cache``: a folder, ``auto`` for answers/ of the cache folder, or None for no cache."""
        return cls(None if word is None else CACHE / "answers" if word == "auto" else Path(word))

    def path(self, method: Method[PartT, AnswerT], part: PartT) -> Path | None:
        """File of an answer; None where nothing is kept.

        Raises:
            TypeError: The method or the part has no fingerprint.
            UserError: A file that decides the answer cannot be read.
        """
        key = fingerprint(method, part, code=(spi_lightning,))
        return None if self.folder is None else Path(self.folder) / key[:2] / f"{key}.h5"

    def load(self, path: Path | None, kind: type[AnswerT], listener: Listener) -> Answered[AnswerT] | None:
        """Answer from the cache; None if it is absent or damaged; the listener gets a note on a damaged file.

        Args:
            path: File of the answer, as `path` gives it.
            kind: Dataclass of the answer.
            listener: Takes a note on a damaged file.
        """
        if path is None or not path.is_file():
            return None
        try:
            return replace(codec.load(path, Answered[kind]), kept=True)  # type: ignore[valid-type]
        except UserError as error:
            listener.note(Note.warning(f"the kept answer is not used and is made anew: {error}"))
            return None

    def save(self, path: Path | None, answered: Answered[AnswerT]) -> Answered[AnswerT]:
        """Write an answer to the cache, and return it.

        Raises:
            UserError: It cannot be written.
        """
        if path is not None:
            try:
                codec.save(path, answered, compress=False)
            except UserError as error:
                raise UserError(f"{error}; cache=null keeps no answers") from error
        return answered
