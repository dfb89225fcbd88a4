"""Pictures of an evaluation of hits: galleries, occlusion maps, and activations of a network's layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spi_lightning.fields import BEAM_CENTRE, BEAM_COLUMN, BEAM_ROW, FRAME, LOGITS, MASK, PHOTONS, Kind
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.checkpoint import CheckpointMethod
from spi_lightning.physics.array import evenly
from spi_lightning.reports import CONTRADICTED, DISPUTED, choose_disputed, choose_frames
from spi_lightning.results.hit_pictures import LayerMaps, Occlusion
from spi_lightning.results.hits import HitResult
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification


def gallery_frames(result: HitResult, count: int) -> dict[str, NDArray[np.int64]]:
    """Frames of every gallery, ``count`` each at most; those with which methods or labels disagree too."""
    primary, answers = result.primary, result.answers
    decided = primary.probability, primary.decision, primary.abstain
    frames = choose_frames(*decided, result.label, result.rule.threshold, count)
    disputed = choose_disputed([each.decision for each in answers], [each.probability for each in answers], count)
    if len(disputed):
        frames[DISPUTED] = disputed
    if len(result.contradicted):
        frames[CONTRADICTED] = result.contradicted[:count]
    return frames


def measured_centres(patterns: PatternFile, columns: dict[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """Beam centres by inversion symmetry, (N, 2) row, column, pixel, for a file that does not hold its own."""
    if BEAM_CENTRE in patterns.geometry or BEAM_ROW not in columns:
        return None
    return np.stack([columns[BEAM_ROW], columns[BEAM_COLUMN]], axis=1)


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
    networks[0].fit_to(patterns)  # as its answer may be a kept one
    return occlusion_maps(networks[0], patterns, frames), layer_maps(networks[0], patterns, int(frames[0]))


_BYTES_AT_ONCE = 16 << 20  # of covered patterns


def occlusion_maps(
    method: CheckpointMethod, patterns: PatternFile, frames: NDArray[np.int64], squares: int = 16
) -> Occlusion:
    """Occlusion maps: change of the answer when squares of some frames are covered, one at a time.

    Args:
        method: Method with the network.
        patterns: File of N frames.
        frames: (n,) frames that are covered.
        squares: Number of squares along a side; each is twice as wide as the step to the next, so that four cover a
            pixel.

    Source: Zeiler & Fergus (2014), Sect. 4.2, arXiv 1311.2901.
    """
    photons = torch.from_numpy(patterns.read(frames)).to(method.device)
    mask = torch.from_numpy(patterns.read_mask(frames).copy()).to(method.device)
    squares_of = [_stripes(size, squares, method.device) for size in photons.shape[1:]]
    change = [_change(method, *frame, *squares_of) for frame in zip(photons, mask, strict=True)]
    maps = torch.stack(change).cpu().numpy() if len(frames) else np.empty(photons.shape, dtype=np.float32)
    return Occlusion(method.name, frames, photons.cpu().numpy(), mask.cpu().numpy(), maps)


def _stripes(size: int, count: int, device: str) -> Tensor:
    """(count, size) bool, True in one stripe each; a square is where a stripe of rows meets one of columns."""
    edge = torch.arange(size, device=device) * count / size
    return (edge[None, :] - torch.arange(count, device=device)[:, None] - 0.5).abs() < 1


@torch.inference_mode()
def _change(method: CheckpointMethod, photons: Tensor, mask: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(H, W) change of the log odds of one frame."""
    whole = _log_odds(method, photons[None], mask[None])
    at_once = max(1, min(method.batch_size, _BYTES_AT_ONCE // photons.nbytes))
    covered = []
    for square in torch.split(torch.cartesian_prod(torch.arange(len(rows)), torch.arange(len(columns))), at_once):
        visible = ~(rows[square[:, 0], :, None] & columns[square[:, 1], None, :])
        covered.append(_log_odds(method, photons * visible, mask & visible))
    change = (whole - torch.cat(covered)).view(len(rows), len(columns))
    rows, columns = rows.float(), columns.float()
    times_hidden = rows.sum(0)[:, None] * columns.sum(0)[None, :]
    return torch.where(mask, rows.T @ change @ columns / times_hidden.clamp(min=1), 0.0)


def _log_odds(method: CheckpointMethod, photons: Tensor, mask: Tensor) -> Tensor:
    batch = {PHOTONS: photons[:, None], MASK: mask[:, None], FRAME: torch.zeros(len(photons), dtype=torch.int64)}
    logits = method.task.predict_step(batch)[LOGITS].float()
    return logits if logits.ndim == 1 else logits[:, Kind.SINGLE] - logits[:, Kind.SINGLE + 1 :].logsumexp(dim=1)


@torch.inference_mode()
def layer_maps(method: CheckpointMethod, patterns: PatternFile, frame: int, most: int = 5) -> LayerMaps | None:
    """Outputs of the convolutions of a network for one frame; None of a network without any.

    Args:
        method: Method with the network.
        patterns: File of N frames.
        frame: Number of the frame.
        most: Largest number of layers, at even steps from the first to the last convolution.
    """
    found: dict[str, Tensor] = {}
    convolutions = [(name, part) for name, part in method.task.network.named_modules() if isinstance(part, nn.Conv2d)]
    if not convolutions:
        return None
    hooks = []
    for name, part in (convolutions[index] for index in evenly(len(convolutions), most)):

        def keep(_module: nn.Module, _inputs: Any, output: Tensor, name: str = name) -> None:
            found[name] = output[0]

        hooks.append(part.register_forward_hook(keep))
    try:
        photons = patterns.read([frame])
        counts = torch.from_numpy(photons)[:, None].to(method.device)
        mask = torch.from_numpy(patterns.read_mask([frame]).copy())[:, None].to(method.device)
        method.task.predict_step({PHOTONS: counts, MASK: mask, FRAME: torch.tensor([frame])})
    finally:
        for hook in hooks:
            hook.remove()
    maps = {name: values.float().cpu().numpy() for name, values in found.items()}
    return LayerMaps(method.name, frame, photons[0], maps)
