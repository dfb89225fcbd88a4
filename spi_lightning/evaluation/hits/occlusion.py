"""Occlusion maps: what in a pattern a network's answer depends on, by covering squares one at a time."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.fields import FRAME, LOGITS, MASK, PHOTONS, Kind
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.checkpoint import CheckpointMethod
from spi_lightning.results.hit_pictures import Occlusion

_BYTES_AT_ONCE = 16 << 20  # of covered patterns


def occlusion_maps(
    method: CheckpointMethod, patterns: PatternFile, frames: NDArray[np.int64], squares: int = 16
) -> Occlusion:
    """Cover squares of some frames, one at a time, and see what becomes of the answer.

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
