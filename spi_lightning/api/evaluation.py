"""Evaluate any set of methods, trained or classical, on the same patterns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_type_hints

from hydra.utils import instantiate
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.hits import evaluate_hits
from spi_lightning.evaluation.supports.compare import compare_supports
from spi_lightning.methods import CheckpointMethod, SupportCheckpoint
from spi_lightning.results import HitResult, SupportResult
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitPart
from spi_lightning.results.support_answer import SupportPart
from spi_lightning.tasks import HitClassification, SupportPrediction
from spi_lightning.tasks.checkpoint import find_checkpoints, run_name

from .configured import make_part, names_in
from .networks import load
from .patterns import Patterns, as_patterns

PARTS: Final = {HitPart: "hits", SupportPart: "supports"}


def evaluate(
    patterns: Patterns,
    methods: Any,
    mask: ArrayLike | Tensor | None = None,
    labels: ArrayLike | Tensor | None = None,
    *,
    threshold: float = 0.5,
    abstain_within: float = 0.1,
    cache: str | os.PathLike[str] | None = None,
) -> HitResult | SupportResult:
    """Evaluate methods on the same patterns: which are single hits, or where the support of each lies.

    Args:
        patterns: Photons (N, y, x) of NumPy or torch, an open file, or its path.
        methods: One or a list of: a name in conf/method/, such as ``photon_count``, ``graph_cut`` or
            ``triple_intersection``; a run folder or checkpoint; a method object. All answer one kind of question.
        mask: Bool, (y, x) or (N, y, x), True where measured; None: the file's, or all pixels that are finite.
        labels: (N,) 1 for a single hit, 0 for any other, -1 for unknown; None: the file's.
        threshold: Probability from which a frame is taken as a single hit.
        abstain_within: Half width of the band around the threshold in which a method abstains.
        cache: Folder in which answers are kept for the next call; None: none is kept.

    Returns:
        HitResult of methods that select hits: ``result.primary.probability``, ``result.metrics``. SupportResult of
        methods that find supports.

    Raises:
        UserError: No methods, methods of two kinds, unknown names, or patterns that cannot be read.

    Examples:
        >>> from spi_lightning import evaluate
        >>> result = evaluate("hits.cxi", "photon_count", threshold=0.7)
        >>> result.primary.probability.shape
        (24,)
        >>> 0 <= result.metrics["test/auroc"] <= 1
        True
        >>> found = evaluate("hits.cxi", ["autocorrelation_support", "triple_intersection"])
        >>> [one.support.shape for one in found.methods]
        [(24, 32, 32), (24, 32, 32)]
    """
    entries = [methods] if isinstance(methods, str | os.PathLike) or hasattr(methods, "answer") else list(methods)
    if not entries:
        raise UserError("evaluate: methods is empty; give names, run folders or method objects")
    made = list(_made(entries))
    kinds = {kind_of(one) for one in made}
    if len(kinds) > 1:
        raise UserError(f"evaluate: methods of {' and of '.join(sorted(kinds))}; give those of one kind")
    opened, kept = as_patterns(patterns, mask, labels), Cache(None if cache is None else Path(cache))
    if kinds == {"hits"}:
        return evaluate_hits(opened, made, DecisionRule(threshold, abstain_within), cache=kept)
    return compare_supports(opened, made, kept)


def named_method(entry: str | os.PathLike[str], kind: str) -> Any:
    """One method by name or run folder.

    Raises:
        UserError: It is neither, or it answers another kind than ``hits`` or ``supports``.
    """
    method = next(_made([entry]))
    if kind_of(method) != kind:
        raise UserError(f"method={entry} answers {kind_of(method)}; a method of {kind} is needed")
    return method


def kind_of(method: Any) -> str:
    """``hits`` or ``supports``, by the annotation of the part that a method answers."""
    try:
        return PARTS[get_type_hints(type(method).answer)["part"]]
    except (AttributeError, TypeError, KeyError, NameError) as error:
        names = ", ".join(part.__name__ for part in PARTS)
        raise UserError(
            f"{type(method).__name__} needs answer(self, part, listener), part annotated as one of {names}"
        ) from error


def _made(entries: Sequence[Any]) -> Iterator[Any]:
    names = names_in("method")
    for entry in entries:
        if not isinstance(entry, str | os.PathLike):
            yield entry
        elif str(entry) in names:
            yield make_part("method", str(entry), name=str(entry))
        else:
            yield from _networks(str(entry))


def _networks(entry: str) -> Iterator[Any]:
    for checkpoint in find_checkpoints(entry):
        task, name = load(checkpoint).task, run_name(checkpoint)
        if isinstance(task, HitClassification):
            yield CheckpointMethod(name, checkpoint, instantiate)
        elif isinstance(task, SupportPrediction):
            yield SupportCheckpoint(name=name, checkpoint=checkpoint, instantiate=instantiate)
        else:
            raise UserError(f"{entry}: a run of {type(task).__name__} answers neither hits nor supports")
