"""Evaluate any set of methods, trained or classical, on the same patterns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.hits import evaluate_hits
from spi_lightning.evaluation.supports.compare import compare_supports
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings, compare
from spi_lightning.locations import CONF
from spi_lightning.methods import MethodLibrary
from spi_lightning.methods.choice import free_name, kind_of_method
from spi_lightning.results import HitResult, SupportResult, VolumeResult
from spi_lightning.results.decision import DecisionRule
from spi_lightning.tasks import registry

from .configured import refinement_of
from .networks import Trained, load
from .patterns import DATA_WORDS, Patterns, as_patterns
from .python_words import in_python, require_words
from .volumes import Volumes, as_volumes


@in_python
def evaluate(
    patterns: Patterns | Volumes,
    methods: Any,
    mask: ArrayLike | Tensor | str | None = None,
    labels: ArrayLike | Tensor | None = None,
    *,
    threshold: float = 0.5,
    abstain_within: float = 0.1,
    truth: ArrayLike | Tensor | None = None,
    cache: str | os.PathLike[str] | None = None,
    trust: str | Sequence[str] = (),
    **settings: Any,
) -> HitResult | SupportResult | VolumeResult:
    """Evaluate methods on the same patterns: which are single hits, where supports lie, or which densities made them.

    Args:
        patterns: Photons (N, y, x) of NumPy or torch, an open file, or its path; for methods of 3D phasing
            (N, z, y, x) or (z, y, x), a Measurement, or the path of a rocking scan or a set of particles.
        methods: One or a list of: a name in conf/method/, such as ``photon_count``, ``triple_intersection`` or
            ``iterative``; a run folder or checkpoint; a Trained; a method object. All answer one kind of question.
        mask: Bool, of the shape of all patterns or of one, True where measured; None: the file's, or all finite pixels.
        labels: (N,) 1 for a single hit, 0 for any other, -1 for unknown, or words such as ``single``; None: the file's.
        threshold: Probability from which a frame is taken as a single hit.
        abstain_within: Half width of the band around the threshold in which a method abstains.
        truth: Complex true densities (N, z, y, x) of 3D patterns; None where unknown.
        cache: Folder in which answers are kept for the next call; None: none is kept.
        trust: Packages besides this one whose classes a checkpoint may name.
        settings: Of a path to patterns of hits and supports, what open_patterns takes: ``adu_per_photon``, ``photons``,
            ``label``, ...; of 3D phasing, those of results.volumes.VolumeSettings: ``starts``, ``masks``, ...

    Returns:
        HitResult of methods that select hits: ``result.primary.probability``, ``result.metrics``. SupportResult of
        methods that find supports, VolumeResult of methods of 3D phasing.

    Raises:
        UserError: No methods, methods of different kinds, unknown names or settings, or patterns that cannot be read.

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
    registry.trust(trust)
    made, kind = _methods(methods, trust)
    kept = Cache(None if cache is None else Path(cache))
    if kind == "volumes":
        chosen = _volume_settings(settings)
        return compare(VolumeQuestion(as_volumes(patterns, mask, truth), chosen), made, kept).result()
    of_volumes = [name for name in settings if name in VolumeSettings.__dataclass_fields__]
    if of_volumes or truth is not None:
        raise UserError(f"evaluate: {[*of_volumes, 'truth'][0]} is for methods of 3D phasing; these answer {kind}")
    require_words("evaluate", settings, ("threshold", "abstain_within", "labels", "cache", "trust", *DATA_WORDS))
    opened = as_patterns(patterns, mask, labels, settings)  # type: ignore[arg-type]
    if kind == "hits":
        return evaluate_hits(opened, made, DecisionRule(threshold, abstain_within), cache=kept)
    return compare_supports(opened, made, kept)


def _methods(methods: Any, trust: str | Sequence[str]) -> tuple[list[Any], str]:
    """One method or many as objects under names that differ, and the kind of question that all of them answer."""
    alone = isinstance(methods, str | os.PathLike) or hasattr(methods, "answer")
    entries = [methods] if alone else list(methods)
    if not entries:
        raise UserError("evaluate: methods is empty; give names, run folders or method objects")
    made = list(_made(entries, trust))
    kinds = {kind_of_method(type(one)) for one in made}
    if len(kinds) > 1:
        raise UserError(f"evaluate: methods of {' and of '.join(sorted(kinds))}; give those of one kind")
    used: set[str] = set()
    names = [free_name(one.name, used) for one in made]
    made = [one if one.name == name else replace(one, name=name) for one, name in zip(made, names, strict=True)]
    return made, kinds.pop()


def _volume_settings(settings: dict[str, Any]) -> VolumeSettings:
    known = VolumeSettings.__dataclass_fields__
    require_words("evaluate", settings, known, "settings of 3D phasing are")
    return VolumeSettings(**settings)


def method_of(entry: Any, kind: str) -> Any:
    """One method of a kind by its name, its run folder, or as an object.

    Raises:
        UserError: There is no such method or run, or it answers another kind of question.
    """
    method = next(_made([entry]))
    if (found := kind_of_method(type(method))) != kind:
        raise UserError(f"method={method.name} answers {found}; a method of {kind} is needed")
    return method


def _made(entries: Sequence[Any], trust: str | Sequence[str] = ()) -> Iterator[Any]:
    library = MethodLibrary(None, [CONF / "method"], instantiate, refinement_of)
    for entry in entries:
        if not isinstance(entry, str | os.PathLike):
            yield entry.method if isinstance(entry, Trained) else entry
        elif library.file(str(entry)) is not None:
            yield library.method(str(entry))(name=str(entry))
        else:
            yield from (load(checkpoint, trust=trust).method for checkpoint in library.checkpoints(str(entry)))
