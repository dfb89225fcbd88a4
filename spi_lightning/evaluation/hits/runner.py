"""Ask methods, each with the labels it may see and no others, and remember what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.labelled_subset import GivenPlan
from spi_lightning.notes import Note
from spi_lightning.results.cost import Cost
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given, Method

from .cache import AnswerCache

_STORED = tuple(one.name for one in fields(Answer) if one.name not in ("name", "seconds"))


@dataclass(frozen=True)
class Asked:
    """An answer and how it came about.

    Attributes:
        answer: To every frame.
        cost: Of all folds together.
        given: Frames whose labels the method was told, (k,); with folds all labelled ones, each left out once.
        cached: True where the answer was read back; its cost is that of the first time.
    """

    answer: Answer
    cost: Cost
    given: NDArray[np.int64]
    cached: bool = False


@dataclass(frozen=True)
class Interview:
    """Asks methods about one file.

    Args:
        patterns: The file.
        label: (N,) is_single_hit, -1 where unknown; None without labels. Methods see it only through ``plan``.
        plan: Which labels they see.
        rule: From probability to decision.
        cache: Where answers are kept.
    """

    patterns: PatternFile
    label: NDArray[np.int64] | None
    plan: GivenPlan
    rule: DecisionRule
    cache: AnswerCache

    def __call__(self, method: Method, identity: Any) -> Asked:
        """Ask one method.

        Args:
            method: Whom to ask.
            identity: Plain data that tells it from all others, for the cache.
        """
        if not method.needs_given:
            return self._once(method, identity, None)
        if not self.plan.folds:
            return self._once(method, identity, self.plan.drawn(self.label))
        return self._folds(method, identity)

    def _once(self, method: Method, identity: Any, given: Given | None) -> Asked:
        told = None if given is None else [given.frame.tolist(), given.is_single_hit.tolist()]
        kept = self.cache(
            self.cache.path("hits", identity, vars(self.rule), self.patterns, told),
            getattr(method, "notes", None),
            lambda: _of_numbers(method.answer(self.patterns, given), self.patterns),
            _pack,
            partial(_unpack, method.name),
        )
        frames = np.empty(0, dtype=np.int64) if given is None else given.frame
        return Asked(kept.answer, kept.cost, frames, kept.cached)

    def _folds(self, method: Method, identity: Any) -> Asked:
        """Every labelled frame from the fold that left it out, every other frame from the mean of all folds."""
        asked, own = [], []
        for given, answered in self.plan.dealt(self.label):
            asked.append(self._once(method, identity, given))
            own.append(answered)
        joined = _join([each.answer for each in asked], own, self.rule)
        memory = [each.cost.memory_mib for each in asked if each.cost.memory_mib is not None]
        cost = Cost(sum(each.cost.seconds for each in asked), max(memory, default=None))
        return Asked(replace(joined, seconds=cost.seconds), cost, np.sort(np.concatenate(own)), asked[0].cached)


def _of_numbers(answer: Answer, patterns: PatternFile) -> Answer:
    """The answer; UserError where a probability is NaN: no decision can come of it."""
    broken = np.flatnonzero(~(np.isfinite(answer.probability) & np.isfinite(answer.score)))
    if len(broken):
        raise UserError(
            f"{patterns.path}: {answer.name} gives NaN for {len(broken)} of {len(answer.frame)} frames, frame "
            f"{answer.frame[broken[0]]} first; train it again with a smaller optimizer.lr, or leave it out"
        )
    return answer


def _pack(answer: Answer) -> dict[str, Any]:
    return {name: value for name in _STORED if (value := getattr(answer, name)) is not None}


def _unpack(name: str, arrays: Mapping[str, Any], cost: Cost) -> Answer:
    """A kept answer under the name that the method has now."""
    usual = float(arrays["usual_distance"]) if "usual_distance" in arrays else None
    return Answer(name=name, seconds=cost.seconds, **{**arrays, "usual_distance": usual})


def _join(answers: Sequence[Answer], own: Sequence[NDArray[np.int64]], rule: DecisionRule) -> Answer:
    score, probability = (np.mean([getattr(a, name) for a in answers], axis=0) for name in ("score", "probability"))
    decision, abstain = rule(probability.astype(np.float32))
    for answer, frames in zip(answers, own, strict=True):
        score[frames], probability[frames] = answer.score[frames], answer.probability[frames]
        decision[frames], abstain[frames] = answer.decision[frames], answer.abstain[frames]
    return replace(
        answers[0],
        score=score.astype(np.float32),
        probability=probability.astype(np.float32),
        decision=decision,
        abstain=abstain,
        features=None,
        class_probability=None,
    )


def plan_notes(plan: GivenPlan, asked: Sequence[Asked]) -> list[Note]:
    """What the reader of the numbers has to know of labels that methods were told."""
    names = [each.answer.name for each in asked if len(each.given)]
    if not names or not plan.folds:
        return []
    count = min(plan.folds, len(next(each.given for each in asked if len(each.given))))
    how = "one frame left out at a time" if count == len(asked[0].answer.frame) else f"{count} folds"
    return [Note.of(f"each labelled frame is answered with the labels of others alone ({how}).", ", ".join(names))]
