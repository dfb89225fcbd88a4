"""Pictures of an evaluation of hits: galleries of patterns, and what a network looks at in some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.io import PatternFile
from spi_lightning.methods import CheckpointMethod
from spi_lightning.reports import DISPUTED, choose_disputed, choose_frames
from spi_lightning.results.hit_pictures import LayerMaps, Occlusion
from spi_lightning.results.hits import HitResult
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification

from .layers import layer_maps
from .occlusion import occlusion_maps


def gallery_frames(result: HitResult, count: int) -> dict[str, NDArray[np.int64]]:
    """Frames of every gallery, ``count`` each at most, also those on which the methods disagree."""
    primary, answers = result.primary, result.answers
    frames = choose_frames(primary.probability, primary.decision, result.label, result.rule.threshold, count)
    disputed = choose_disputed([each.decision for each in answers], [each.probability for each in answers], count)
    if len(disputed):
        frames[DISPUTED] = disputed
    return frames


def measured_centres(patterns: PatternFile, columns: dict[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """Beam centres by inversion symmetry, (N, 2) row, column, pixel, for a file that does not hold its own."""
    if BEAM_CENTRE in patterns.geometry or "beam_row" not in columns:
        return None
    return np.stack([columns["beam_row"], columns["beam_column"]], axis=1)


def explain(
    methods: Sequence[Any], patterns: PatternFile, choices: dict[str, NDArray[np.int64]], count: int
) -> tuple[Occlusion | None, LayerMaps | None]:
    """Occlusion maps of frames of the galleries for the first network, and the activations of one frame.

    Args:
        methods: Methods of the evaluation.
        patterns: File of the frames.
        choices: Title of each gallery -> (n,) indices of its frames.
        count: Number of frames with an occlusion map; 0: none.
    """
    # without frozen backbones, which take up to a second for each of hundreds of squares
    made = [method for method in methods if isinstance(method, CheckpointMethod)]
    networks = [method for method in made if not isinstance(method.task, TransferClassification)]
    if not networks or count < 1:
        return None, None
    turns = [frames[turn] for turn in range(count) for frames in choices.values() if turn < len(frames)]
    frames = np.asarray(list(dict.fromkeys(int(frame) for frame in turns))[:count], dtype=np.int64)
    if len(frames) == 0:
        return None, None
    return occlusion_maps(networks[0], patterns, frames), layer_maps(networks[0], patterns, int(frames[0]))
