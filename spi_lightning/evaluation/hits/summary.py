"""Numbers of metrics.json from all answers, and notes for their reader."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import IS_HIT, IS_SINGLE_HIT
from spi_lightning.metrics.hits.classification_curves import best_threshold
from spi_lightning.metrics.hits.hit_metrics import HitNumber
from spi_lightning.metrics.hits.method_agreement import agreement_matrix, common_set, intersections, mcnemar
from spi_lightning.notes import Note
from spi_lightning.printable import listed
from spi_lightning.results.hits import SECOND_LOOK, TABLE, Columns, DecidedAnswer, HitResult

from .differences import differences
from .scoring import Scoring, spread

OUTSIDE_AT_MOST, BEYOND_AT_MOST = 0.1, 0.25  # where 0.01 and 0.1 are expected
MOST_OUTSIDE = 0.5  # share of frames outside from which no answer is trusted
BLANKS_AT_MOST = 0.1  # frames without a hit among those that are judged or taken
RIGHT = 0.95  # accuracy from which a network does not guess
WELL_RANKED, WORTH_A_HINT = 0.85, 0.1


def score(
    result: HitResult,
    trained: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
    extra: Mapping[str, HitNumber] | None = None,
) -> dict[str, Any]:
    """Numbers of the primary method, of each method, and the spread between checkpoints.

    Args:
        result: Answers of all methods, with labels.
        trained: Names of the methods whose spread is reported, for example checkpoints of several seeds.
        replicates: Bootstrap replicates of the 95 % intervals.
        seed: Seed of the bootstrap.
        extra: Further numbers by their names, see HitMetrics.

    Returns:
        ``test/accuracy`` and so on of the primary method (see Scoring), ``methods``: the same for each method, and, for
        two or more checkpoints, ``spread``; ``extra``: names of further numbers; ``scale``: what networks that take
        patterns of any size found. Without labels only ``frames`` of the numbers.
    """
    label = result.label
    compared: dict[str, Any] = {"comparison": compare(result)} if len(result.answers) > 1 else {}
    domain = {answer.name: found for answer in result.answers if (found := domain_of(answer, result.columns))}
    compared |= {"domain": domain} if domain else {}
    scales = {answer.name: asdict(answer.scale) for answer in result.answers if answer.scale is not None}
    compared |= {"scale": scales} if scales else {}
    if label is None:
        return {"frames": result.shape[0], **compared}
    scoring = Scoring(label, result.excluded, replicates, seed, extra or {})
    answers = [*result.answers, *([] if result.ensemble is None else [result.ensemble])]
    methods = {answer.name: scoring(answer) for answer in answers}
    metrics: dict[str, Any] = {**methods[result.primary_name], "methods": methods}
    if extra:
        metrics["extra"] = list(extra)
    if len(trained) > 1:
        metrics["spread"] = spread([methods[name] for name in trained])
    for answer in result.answers:
        if (found := domain.get(answer.name)) is not None:
            found |= _right(answer, label, _judged(answer, result.columns))
    return {**metrics, **compared}


def _right(answer: DecidedAnswer, label: NDArray[np.int64], judged: NDArray[np.bool_]) -> dict[str, Any]:
    """``accuracy`` of the judged frames, and ``right``: labels of both classes, and answers that nearly all agree."""
    known = label >= 0
    agrees, judged = answer.decision == label, judged & known
    accuracy = float(agrees[judged].mean()) if judged.any() else None
    right = len(set(label[known])) == 2 and agrees[known].mean() >= RIGHT and (accuracy is None or accuracy >= RIGHT)
    return {"accuracy": accuracy, "right": bool(right)}


def compare(result: HitResult) -> dict[str, Any]:
    """Two or more methods against each other on the same frames.

    Returns:
        ``methods``: names; ``agreement``: share of frames decided alike, (M, M); ``common``: frames that all take;
        ``groups``: frames taken by exactly some methods (indices), with their labelled single hits; ``mcnemar``: exact
        paired tests on the scored frames.
    """
    names = [answer.name for answer in result.answers]
    decisions = [answer.decision for answer in result.answers]
    label = result.label
    groups = [
        {
            "methods": list(members),
            "frames": len(frames),
            "single_hits": None if label is None else int((label[frames] == 1).sum()),
        }
        for members, frames in intersections(decisions)
    ]
    tests = []
    if label is not None:
        use = label >= 0
        for one, other in combinations(range(len(names)), 2):
            test = mcnemar(decisions[one][use], decisions[other][use], label[use])
            tests.append({"first": names[one], "second": names[other], **vars(test)})
    return {
        "methods": names,
        "agreement": agreement_matrix(decisions).tolist(),
        "common": len(common_set(decisions)),
        "groups": groups,
        "mcnemar": tests,
    }


def domain_of(answer: DecidedAnswer, columns: Columns | None = None) -> dict[str, Any] | None:
    """Distance of a file from the training patterns of a network; None for networks without such a measure.

    Nearly empty frames lie outside the training patterns by nature. Where the hit finder has looked at the frames,
    those with a hit alone are judged; blanks do harm only if they are taken as single hits.

    Args:
        answer: With the distance of every frame.
        columns: Measured per frame; with ``is_hit``, frames that the hit finder calls no hit are blanks.

    Returns:
        ``frames``: number of frames compared; ``frames_outside``, ``outside``: number and share of them further
        away than 99 % of the patterns the network was validated on; ``beyond_most``: share further than 90 % of them;
        ``alike``: False where either is far more than chance, and then ``differs``: in which traits. Where hits are
        known also ``blanks`` and ``blanks_taken``: numbers of frames without a hit, and of those taken as single hits;
        ``without_hits``: True where no frame holds one, so that blanks are judged.
    """
    distance, usual = answer.distance_from_training, answer.usual_distance
    if distance is None or usual is None:
        return None
    judged = _judged(answer, columns)
    outside, beyond = (distance > 1)[judged], (distance > usual)[judged]
    chance = 2 * (0.1 * 0.9 / max(1, judged.sum())) ** 0.5  # two standard deviations of the share that is expected
    found: dict[str, Any] = {
        "frames": int(judged.sum()),
        "frames_outside": int(outside.sum()),
        "outside": float(outside.mean()),
        "beyond_most": float(beyond.mean()),
        "alike": bool(outside.mean() <= OUTSIDE_AT_MOST and beyond.mean() <= BEYOND_AT_MOST + chance),
    }
    if not found["alike"]:
        found["differs"] = differences(answer, columns or {}, judged)
    hit = _hits(answer, columns)
    if hit is not None and not hit.any():
        found["without_hits"] = True
    elif not judged.all():
        found |= {"blanks": int((~judged).sum()), "blanks_taken": int(answer.decision[~judged].sum())}
    return found


def _judged(answer: DecidedAnswer, columns: Columns | None) -> NDArray[np.bool_]:
    """Frames (N,) by which a network is judged: those with a hit, or all where hits are unknown or there is none."""
    hit = _hits(answer, columns)
    return np.ones(len(answer.score), dtype=bool) if hit is None or not hit.any() else hit


def _hits(answer: DecidedAnswer, columns: Columns | None) -> NDArray[np.bool_] | None:
    """Frames (N,) with a hit; None where none was looked for."""
    known = (columns or {}).get(IS_HIT) if answer.is_hit is None else answer.is_hit
    return None if known is None else np.asarray(known, dtype=bool)


def _other_selects(result: HitResult, name: str) -> str:
    """End of a warning of the method that selects where there are others; else empty."""
    if name != result.primary_name or len(result.answers) < 2:
        return ""
    return f". {name} selects the frames; selection.method=NAME chooses another method"


def _domain_notes(result: HitResult) -> list[Note]:
    lines: list[Note] = []
    for name, found in result.metrics.get("domain", {}).items():
        what = "frames with a hit" if "blanks" in found else "frames"
        if not found["alike"]:
            lines.append(_unlike(result, name, found, what))
        taken = found.get("blanks_taken", 0)
        if taken > BLANKS_AT_MOST * (found["frames"] + taken) and not found.get("right"):
            words = f"{name} takes {taken} of {found['blanks']} frames without a hit (is_hit in {TABLE}) as single hits"
            lines.append(Note.warning(f"{words}: leave empty frames out, or raise decision.threshold"))
    return lines


def _unlike(result: HitResult, name: str, found: Mapping[str, Any], what: str) -> Note:
    """Note on a file that lies outside the training patterns of a network."""
    share = f"{found['frames_outside']} of {found['frames']} {what} ({100 * found['outside']:.0f} %)"
    if found.get("without_hits"):
        words = f"no frame of this file holds a hit (hits.threshold), and {share} look unlike its training patterns"
        return Note.warning(f"{words}, as blank frames do: do not use answers to a file that should hold hits", name)
    if found.get("right"):
        agree = f"{100 * found['accuracy']:.1f} % of its answers to these {what} agree with the labels"
        return Note.of(f"{share} look unlike its training patterns, but {agree}", name)
    remedy = f"Do not trust its answers; {_instead(result, name)}"
    if found["outside"] <= MOST_OUTSIDE and found["beyond_most"] <= BEYOND_AT_MOST:
        remedy = f"Look at these before you use its answers to them: distance_from_training above 1 in {TABLE}"
    blanks = f". {found['blanks']} frames without a hit are not counted" if "blanks" in found else ""
    if "blanks" not in found and IS_HIT not in result.columns:
        blanks = ". Nearly empty frames count too, as hits were not looked for (frame_columns)"
    differs = f". What differs: {', '.join(found['differs'])}" if found["differs"] else ""
    end = f"{blanks}{differs}. {remedy}{_other_selects(result, name)}"
    return Note.warning(
        f"to {name} this file does not look like its training patterns: {share} lie outside what 99 % of those fill, "
        f"{100 * found['beyond_most']:.0f} % beyond 90 % of them{end}"
    )


def _instead(result: HitResult, name: str) -> str:
    """What to do where a network cannot be trusted; one for patterns of any size has learnt no other experiment."""
    if name in result.metrics.get("scale", {}):
        return (
            "check the speckle and the beam that were found, tune it to the file (spi tune FILE), or label a few "
            "frames (spi label) and ask method=graph_cut"
        )
    return "simulate this experiment and train on that, or ask method=general"


def _threshold_notes(result: HitResult) -> list[Note]:
    """Hints on methods that rank well but decide badly, with the most accurate threshold."""
    label, lines = result.label, []
    if label is None:
        return []
    use, threshold = label >= 0, result.rule.threshold
    for answer in result.each_once:
        numbers = result.metrics["methods"][answer.name]
        area, accuracy = numbers.get("test/auroc"), numbers.get("test/accuracy")
        if area is None or accuracy is None or area < WELL_RANKED:
            continue
        best = best_threshold(answer.ranking[use], label[use])
        if best.accuracy - accuracy >= WORTH_A_HINT:
            lines.append(
                Note.hint(
                    f"{answer.name} ranks well (area under ROC {area:.2f}), but its probability is not on the scale "
                    f"of this file: accuracy {accuracy:.2f} at decision.threshold={threshold:g}. Chosen with these "
                    "labels, "
                    f"so an upper bound, decision.threshold={best.threshold:.4g} would give {best.accuracy:.2f}"
                    f"{_other_selects(result, answer.name)}"
                )
            )
    return lines


def result_notes(result: HitResult) -> list[Note]:
    """Notes on what to beware of, what is not scored, and what is undefined."""
    lines = [*_domain_notes(result), *_threshold_notes(result)]
    if not result.columns:
        lines.append(
            Note.of("Hits, beam centres and sizes were not measured; frame_columns=N does so for up to N frames")
        )
    label, all_labels = result.label, result.labels.get(IS_SINGLE_HIT)
    if len(result.training_frames):
        text = f"Methods learnt from the labels of {len(result.training_frames)} frames and none is scored on them"
        lines.append(Note.of(f"{text}: {listed(result.training_frames.tolist(), 40)}"))
    if label is None or all_labels is None:
        return [*lines, Note.of("No frame is left to score: predictions without metrics")]
    if count := len(result.contradicted):
        text = f"{count} labels are contradicted by every method, none of them uncertain: look at these frames again"
        lines.append(Note.hint(f"{text} with spi label FILE only={SECOND_LOOK} (a file of the run folder)"))
    if (all_labels < 0).any():
        lines.append(Note.of(f"{(all_labels < 0).sum()} frames of unknown label are predicted but not scored"))
    missing = sorted(name for name, value in result.metrics.items() if value is None and name.count("/") == 1)
    if missing:
        lines.append(Note.of(f"Undefined for these labels or decisions, so left out: {', '.join(missing)}"))
    return lines
