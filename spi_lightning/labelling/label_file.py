"""Label file: one word for each frame of a file of patterns, written anew after every label."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write, file_lock
from spi_lightning.printable import printable

SINGLE, OTHER, SKIP, UNKNOWN = "single", "other", "skip", "unknown"
MEANING: Final = {SINGLE: 1, OTHER: 0, SKIP: -1, UNKNOWN: -1}
"""Words of a label file and the is_single_hit that readers take them for."""
AGAIN: Final = "looked at again"
_HEAD: Final = "# labels of "
_RULE: Final = f"# one line for each frame, from 0: {', '.join(MEANING)}"


class LabelFile:
    """Label file of the N frames of a file of patterns.

    A text that ``data.keys.label=`` takes: two lines of head, then one word a frame. Every change reads the file, sets
    one word and replaces the file under a lock, so that other processes that label the same frames lose nothing.

    Args:
        path: Text file; made with the first label.
        patterns: Name of the file of patterns, for the head.
        count: Number of frames N.
        start: (N,) is_single_hit of labels known before, -1 unknown, from which a new file starts; None: none.

    Raises:
        UserError: The file holds something else, labels of other patterns, or cannot be written.
    """

    def __init__(self, path: Path, patterns: str, count: int, start: NDArray[np.int64] | None = None) -> None:
        self.path, self.patterns, self.count = path, printable(patterns), count
        word = {MEANING[SINGLE]: SINGLE, MEANING[OTHER]: OTHER}
        self._words = [UNKNOWN] * count if start is None else [word.get(label, UNKNOWN) for label in start.tolist()]
        self._again = np.zeros(count, dtype=bool)
        with file_lock(path):  # which refuses a folder that cannot be written
            self._read()

    @property
    def words(self) -> list[str]:
        """Word of each frame, (N,)."""
        return list(self._words)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N,) bool, frames with a label, or skipped."""
        return np.array([word != UNKNOWN for word in self._words], dtype=bool)

    @property
    def is_single_hit(self) -> NDArray[np.int64]:
        """(N,) label of each frame: 1 single hit, 0 other, -1 without or skipped."""
        return np.array([MEANING[word] for word in self._words], dtype=np.int64)

    @property
    def again(self) -> NDArray[np.bool_]:
        """(N,) bool, frames whose label was looked at again."""
        return self._again.copy()

    def counts(self) -> dict[str, int]:
        """Number of frames of each word."""
        return {word: self._words.count(word) for word in MEANING}

    def put(self, frame: int, word: str, again: bool = False) -> None:
        """Label one frame and write the file.

        Args:
            frame: Number of the frame, from 0.
            word: Word of MEANING.
            again: Whether the frame had a label and was looked at once more, which is kept as a comment on its line.

        Raises:
            UserError: There is no such frame or word, or the file cannot be written; then the label is not kept.
        """
        if word not in MEANING or not 0 <= frame < self.count:
            raise UserError(f"{self.path}: frame {frame} cannot be {word}; words are {', '.join(MEANING)}")
        with file_lock(self.path):
            self._read()
            before = self._words[frame], self._again[frame]
            self._words[frame], self._again[frame] = word, again or before[1]
            try:
                self._write()
            except BaseException:
                self._words[frame], self._again[frame] = before
                raise

    def _write(self) -> None:
        notes = (f"  # {AGAIN}" if again else "" for again in self._again.tolist())
        lines = [f"{word}{note}" for word, note in zip(self._words, notes, strict=True)]
        with atomic_write(self.path) as part, part.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join([f"{_HEAD}{self.patterns}", _RULE, *lines]) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        """Take the labels of the file, where it is there; one that was removed is written again with the next label."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read, {error.strerror}; give another file with out=") from error
        if not lines or not lines[0].startswith(_HEAD):
            raise UserError(
                f"{self.path}: is there and was not written by spi label; give another file with out=, and its labels "
                f"with data.keys.label={self.path}"
            )
        of = lines[0].removeprefix(_HEAD)
        words = [line.partition("#")[0].strip() for line in lines[1:] if line.partition("#")[0].strip()]
        if of != self.patterns or len(words) != self.count:
            raise UserError(
                f"{self.path}: holds labels of {len(words)} frames of {of}, and {self.patterns} has {self.count} "
                "frames; give another file with out="
            )
        if strange := sorted(set(words) - set(MEANING)):
            raise UserError(f"{self.path}: {strange[0]!r} is no label; words are {', '.join(MEANING)}")
        self._words = words
        self._again = np.array([AGAIN in line for line in lines[1:] if line.partition("#")[0].strip()], dtype=bool)
