"""Which patterns an evaluation of hits shows, and what a network looks at in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.io import PatternFile
from spi_lightning.methods import CheckpointMethod, Method
from spi_lightning.reports import DISPUTED, choose_disputed, choose_frames
from spi_lightning.results.predictions import Predictions
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification

from .layers import layer_maps, write_layer_maps
from .occlusion import occlusion_maps


def shown_frames(predictions: Predictions, count: int) -> dict[str, NDArray[np.int64]]:
    """Frames of every gallery, also those on which the methods disagree."""
    headline, answers = predictions.headline, predictions.answers
    label, threshold = predictions.scored_label, predictions.rule.threshold
    frames = choose_frames(headline.probability, headline.decision, label, threshold, count)
    disputed = choose_disputed([each.decision for each in answers], [each.probability for each in answers], count)
    if len(disputed):
        frames[DISPUTED] = disputed
    return frames


def found_centres(patterns: PatternFile, columns: dict[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """Beam centres found by symmetry, (N, 2) row, column, for a file that does not tell its own."""
    if BEAM_CENTRE in patterns.geometry or "beam_row" not in columns:
        return None
    return np.stack([columns["beam_row"], columns["beam_column"]], axis=1)


def explain(
    methods: Sequence[tuple[Method, Any]], patterns: PatternFile, choices: dict[str, Any], count: int, folder: Path
) -> None:
    """Write occlusion.h5, what the first network's answer hangs on in a few frames of every gallery, and layers.h5."""
    # not those with a frozen backbone, which may take a second for each of the hundreds of squares
    made = [method for method, _ in methods if isinstance(method, CheckpointMethod)]
    networks = [method for method in made if not isinstance(method.task, TransferClassification)]
    if not networks or count < 1:
        return
    turns = [frames[turn] for turn in range(count) for frames in choices.values() if turn < len(frames)]
    frames = np.asarray(list(dict.fromkeys(int(frame) for frame in turns))[:count], dtype=np.int64)
    occlusion_maps(networks[0], patterns, frames).write(folder / "occlusion.h5")
    if len(frames):
        first = int(frames[0])
        maps = layer_maps(networks[0], patterns, first)
        write_layer_maps(folder / "layers.h5", networks[0].name, first, patterns.read([first])[0], maps)
