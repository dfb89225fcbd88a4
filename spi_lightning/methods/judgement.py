"""The numbers of metrics.json from all answers, and what their reader has to be told."""

from collections.abc import Sequence
from typing import Any

from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.methods.predictions import Predictions
from spi_lightning.methods.scoring import Scoring, spread


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
    label = predictions.labels.get(IS_SINGLE_HIT)
    if label is None or not (label >= 0).any():
        return {"frames": len(predictions.headline.frame)}
    scoring = Scoring(label, predictions.excluded, predictions.rule, replicates, seed)
    methods = {answer.name: scoring(answer) for answer in predictions.answers}
    if predictions.headline.name not in methods:
        methods[predictions.headline.name] = scoring(predictions.headline)
    metrics: dict[str, Any] = {**methods[predictions.headline.name], "methods": methods}
    if len(trained) > 1:
        metrics["spread"] = spread([methods[name] for name in trained])
    return metrics


def notes(predictions: Predictions, metrics: dict[str, Any]) -> list[str]:
    """What is not scored, what is undefined, and what an interval without width cannot say."""
    lines = []
    if not predictions.columns:
        lines.append("Hits, beam centres and sizes were not measured; frame_columns=N does so for up to N frames.")
    label = predictions.labels.get(IS_SINGLE_HIT)
    if label is None or not (label >= 0).any():
        return [*lines, "No frame is labelled: predictions without metrics."]
    if (label < 0).any():
        lines.append(f"{(label < 0).sum()} frames of unknown label are predicted but not scored.")
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
