"""Answers kept on disk under the hash of all they depend on, so that adding a method does not repeat the others."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import spi_lightning
from spi_lightning.fields import UserError
from spi_lightning.io.pattern_file import PatternFile
from spi_lightning.methods.answer import Answer, Given
from spi_lightning.methods.cost import Cost

_ARRAYS = ("frame", "score", "probability", "decision", "abstain")
_OPTIONAL = ("features", "class_probability", "distance_from_training")


class AnswerCache:
    """A folder of answers, one .npz file each.

    Args:
        folder: Made when needed; None keeps nothing.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def path(self, identity: Any, patterns: PatternFile, given: Given | None) -> Path | None:
        """Where the answer of a method to a file is kept.

        Args:
            identity: What tells this method from all others: its settings, or the hash of its checkpoint; plain data.
            patterns: The file; its size and time of change count, its content does not.
            given: Labels the method is told.
        """
        if self.folder is None:
            return None
        told = None if given is None else [given.frame.tolist(), given.is_single_hit.tolist()]
        text = json.dumps([code_hash(), identity, _file_identity(patterns), told], sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"

    def read(self, path: Path | None, name: str) -> tuple[Answer, Cost] | None:
        """A kept answer and what it cost, under the name it has now; None if there is none, or it is damaged."""
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                cost = Cost(**json.loads(str(stored["cost"])))
                arrays: dict[str, Any] = {key: stored[key] for key in (*_ARRAYS, *_OPTIONAL) if key in stored}
                usual = float(stored["usual_distance"]) if "usual_distance" in stored else None
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
            return None
        return Answer(name=name, seconds=cost.seconds, usual_distance=usual, **arrays), cost

    def write(self, path: Path | None, answer: Answer, cost: Cost) -> None:
        """Keep an answer; the file appears whole or not at all."""
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        arrays = {key: value for key in (*_ARRAYS, *_OPTIONAL) if (value := getattr(answer, key)) is not None}
        if answer.usual_distance is not None:
            arrays["usual_distance"] = np.asarray(answer.usual_distance)
        try:
            np.savez(part, cost=json.dumps(asdict(cost)), **arrays)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise UserError(f"{path}: the answer cannot be kept ({error}); cache=null keeps none.") from error


def file_hash(path: Path) -> str:
    """Hash of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_identity(patterns: PatternFile) -> list[Any]:
    ends = [0, len(patterns) - 1] if len(patterns) else []
    paths = sorted({*(file.path for file, _ in patterns.origin(ends)), patterns.path})
    stats = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths if path.exists()]
    mask = patterns.shared_mask
    mask_hash = None if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
    return [stats, list(patterns.shape), mask_hash, patterns.adu_per_photon, patterns.format]


@cache
def code_hash() -> str:
    """Hash of the package's source: a changed formula never reuses an old answer."""
    digest = hashlib.sha256()
    for source in sorted(Path(spi_lightning.__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
