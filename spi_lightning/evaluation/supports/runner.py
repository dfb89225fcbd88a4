"""Ask methods for supports, and keep their answers on disk under all they depend on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits.cache import AnswerCache, Kept
from spi_lightning.fields import DENSITY, FRAME, SUPPORT
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.results.cost import Cost
from spi_lightning.results.support_answer import SupportAnswer, SupportMethod

AskedSupports = Kept[SupportAnswer]


@dataclass(frozen=True)
class SupportInterview:
    """Asks methods about one file.

    Args:
        patterns: The file.
        cache: Where answers are kept: supports as bits.
    """

    patterns: PatternFile
    cache: AnswerCache

    def __call__(self, method: SupportMethod, identity: Any) -> AskedSupports:
        """Ask one method; ``identity`` is plain data that tells it from all others."""
        path = self.cache.path("supports", identity, self.patterns)

        def answer() -> SupportAnswer:
            made = method.answer_supports(self.patterns)
            if made.density is not None and not np.isfinite(made.density).all():
                raise UserError(
                    f"{self.patterns.path}: the densities of {method.name} hold NaN; train it again with a smaller "
                    "optimizer.lr, or leave it out"
                )
            return made

        return self.cache(path, method.notes, answer, _pack, partial(_unpack, method.name))


def _pack(answer: SupportAnswer) -> dict[str, Any]:
    density = {} if answer.density is None else {DENSITY: answer.density}
    support = {SUPPORT: np.packbits(answer.support, axis=-1), "width": np.asarray(answer.support.shape[-1])}
    return {FRAME: answer.frame, **support, **density}


def _unpack(name: str, arrays: Mapping[str, Any], cost: Cost) -> SupportAnswer:
    """A kept answer under the name that the method has now."""
    support = np.unpackbits(arrays[SUPPORT], axis=-1, count=int(arrays["width"])).astype(bool)
    return SupportAnswer(name, arrays[FRAME], arrays.get(DENSITY), support, cost.seconds)


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
