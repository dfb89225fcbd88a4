"""The numbers of metrics.json from all answers, and what their reader has to be told."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.methods.answer import Answer
from spi_lightning.methods.predictions import Predictions
from spi_lightning.methods.scoring import Scoring, spread
from spi_lightning.metrics.agreement import agreement_matrix, common_set, intersections, mcnemar

OUTSIDE_AT_MOST, BEYOND_AT_MOST = 0.1, 0.5


def score(predictions: Predictions, trained: Sequence[str], replicates: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Numbers of the headline, of each method, and the spread between checkpoints.

    Args:
        predictions: All answers, with labels.
        trained: Names of the methods whose spread is of interest, checkpoints of several seeds say.
        replicates: Bootstrap replicates of the 95 % intervals.
        seed: Of the bootstrap.

    Returns:
        ``test/accuracy`` and so on of the headline (see Scoring), ``methods``: the same for each method, and, for two
        or more checkpoints, ``spread``. Without labels only ``frames``.
    """
    label = predictions.scored_label
    compared: dict[str, Any] = {"comparison": compare(predictions)} if len(predictions.answers) > 1 else {}
    domain = {answer.name: found for answer in predictions.answers if (found := domain_of(answer))}
    compared |= {"domain": domain} if domain else {}
    if label is None:
        return {"frames": len(predictions.headline.frame), **compared}
    scoring = Scoring(label, predictions.excluded, predictions.rule, replicates, seed)
    methods = {answer.name: scoring(answer) for answer in predictions.answers}
    if predictions.headline.name not in methods:
        methods[predictions.headline.name] = scoring(predictions.headline)
    metrics: dict[str, Any] = {**methods[predictions.headline.name], "methods": methods}
    if len(trained) > 1:
        metrics["spread"] = spread([methods[name] for name in trained])
    return {**metrics, **compared}


def compare(predictions: Predictions) -> dict[str, Any]:
    """Two or more methods against each other on the same frames.

    Returns:
        ``methods``: names; ``agreement``: share of frames decided alike, (M, M); ``common``: frames that all take;
        ``groups``: frames taken by exactly some methods (indices), with their labelled single hits; ``mcnemar``: exact
        paired tests on the scored frames.
    """
    names = [answer.name for answer in predictions.answers]
    decisions = [answer.decision for answer in predictions.answers]
    label = predictions.scored_label
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


def domain_of(answer: Answer) -> dict[str, Any] | None:
    """How unlike its training patterns a file looks to a network; None where it cannot tell.

    Returns:
        ``outside``: share of frames further away than 99 % of the patterns it was validated on; ``beyond_most``: than
        90 % of them; ``alike``: False where either is far more than chance, so that its answers are guesses.
    """
    distance, usual = answer.distance_from_training, answer.usual_distance
    if distance is None or usual is None:
        return None
    outside, beyond = float((distance > 1).mean()), float((distance > usual).mean())
    return {"outside": outside, "beyond_most": beyond, "alike": outside <= OUTSIDE_AT_MOST and beyond <= BEYOND_AT_MOST}


def _domain_lines(metrics: dict[str, Any]) -> list[str]:
    return [
        f"WARNING: to {name} this file does not look like its training patterns: {100 * found['outside']:.0f} % of the "
        f"frames lie outside what 99 % of those fill, {100 * found['beyond_most']:.0f} % beyond 90 % of them. Do not "
        "trust its answers; simulate this experiment and train on that."
        for name, found in metrics.get("domain", {}).items()
        if not found["alike"]
    ]


def notes(predictions: Predictions, metrics: dict[str, Any]) -> list[str]:
    """What is not scored, what is undefined, and what an interval without width cannot say."""
    lines = _domain_lines(metrics)
    if not predictions.columns:
        lines.append("Hits, beam centres and sizes were not measured; frame_columns=N does so for up to N frames.")
    label, all_labels = predictions.scored_label, predictions.labels.get(IS_SINGLE_HIT)
    if len(predictions.given):
        shown = ", ".join(map(str, predictions.given[:40])) + (", …" if len(predictions.given) > 40 else "")
        lines.append(
            f"The labels of {len(predictions.given)} frames were told to methods that learn from some; none is scored "
            f"on them: {shown}."
        )
    if label is None or all_labels is None:
        return [*lines, "No frame is left to score: predictions without metrics."]
    if (all_labels < 0).any():
        lines.append(f"{(all_labels < 0).sum()} frames of unknown label are predicted but not scored.")
    missing = sorted(name for name, value in metrics.items() if value is None and name.count("/") == 1)
    if missing:
        lines.append(f"Undefined for these labels or decisions, so left out: {', '.join(missing)}.")
    for stage in ("test", "test_kept"):
        if f"{stage}/accuracy" in metrics and metrics[f"{stage}/accuracy/low"] == metrics[f"{stage}/accuracy/high"]:
            lines.append(_no_width(stage, metrics))
    return lines


def _no_width(stage: str, metrics: dict[str, Any]) -> str:
    """What the bootstrap cannot say where no frame, or every frame, of a label is decided wrongly."""
    single = metrics[f"{stage}/single_hits"]
    counts = (single, metrics[f"{stage}/frames"] - single)
    limits = " and ".join(f"{min(1.0, 3 / frames):.2g} for {frames} frames" for frames in counts if frames)
    return (
        f"{stage}: all frames of a label are decided alike, so the bootstrap interval of the accuracy has no width. By "
        f"the rule of three, an error rate seen as 0 may be up to {limits} of a label (95 % confidence)."
    )
