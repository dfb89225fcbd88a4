"""Ask methods for supports, and keep their answers on disk under all they depend on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from spi_lightning.fields import DENSITY, FRAME, SUPPORT, UserError
from spi_lightning.files import replacing
from spi_lightning.io.pattern_file import PatternFile
from spi_lightning.methods.answer_cache import AnswerCache
from spi_lightning.methods.cost import Cost, measured
from spi_lightning.methods.support_answer import SupportAnswer, SupportMethod


@dataclass(frozen=True)
class AskedSupports:
    """An answer, what it cost when it was made, and whether it was read back."""

    answer: SupportAnswer
    cost: Cost
    cached: bool


@dataclass(frozen=True)
class SupportInterview:
    """Asks methods about one file.

    Args:
        patterns: The file.
        cache: Where answers are kept: supports as bits, densities as float16.
    """

    patterns: PatternFile
    cache: AnswerCache

    def __call__(self, method: SupportMethod, identity: Any) -> AskedSupports:
        """Ask one method; ``identity`` is plain data that tells it from all others."""
        path = self.cache.path(["supports", identity], self.patterns, None)
        if (kept := _read(path, method.name)) is not None:
            answer, cost, notes = kept
            for note in notes:
                method.notes.say(note)
            return AskedSupports(answer, cost, cached=True)
        said = len(method.notes)
        with measured() as cost:
            answer = method.answer_supports(self.patterns)
        if path is not None:
            _write(path, answer, cost, method.notes[said:])
        return AskedSupports(answer, cost, cached=False)


def _write(path: Path, answer: SupportAnswer, cost: Cost, notes: list[str]) -> None:
    arrays: dict[str, Any] = {
        FRAME: answer.frame,
        SUPPORT: np.packbits(answer.support, axis=-1),
        "shape": np.asarray(answer.support.shape),
    }
    if answer.density is not None:
        arrays[DENSITY] = answer.density.astype(np.float16)
    try:
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, cost=json.dumps(asdict(cost)), notes=json.dumps(notes), **arrays)
    except UserError as error:
        raise UserError(f"{error}; cache=null keeps no answers.") from error


def _read(path: Path | None, name: str) -> tuple[SupportAnswer, Cost, list[str]] | None:
    """A kept answer under the name it has now, and what was said of it; None if there is none, or it is damaged."""
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            cost = Cost(**json.loads(str(stored["cost"])))
            width = int(stored["shape"][-1])
            support = np.unpackbits(stored[SUPPORT], axis=-1, count=width).astype(bool)
            density = stored[DENSITY].astype(np.float32) if DENSITY in stored else None
            notes = json.loads(str(stored["notes"])) if "notes" in stored else []
            return SupportAnswer(name, stored[FRAME], density, support, cost.seconds), cost, notes
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None


def told(asked: AskedSupports, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a method's answer cost, for evaluation.json."""
    count = max(1, len(asked.answer.frame))
    numbers: dict[str, Any] = {
        "seconds": round(asked.cost.seconds, 3),
        "ms_per_pattern": round(1e3 * asked.cost.seconds / count, 3),
    }
    for name in ("memory_mib", "gpu_memory_mib"):
        if (value := getattr(asked.cost, name)) is not None:
            numbers[name] = round(value)
    return {**numbers, **({"cached": "yes"} if asked.cached else {}), **(more or {})}
