"""One minus Pearson's correlation of Fourier amplitudes (loss L3 of Wu et al., 2021), literal and signed."""

from typing import Literal

import torch
from torch import Tensor

from spi_lightning.fields import UserError

Kind = Literal["pearson", "modified"]
KINDS: tuple[Kind, ...] = ("pearson", "modified")


def pearson(predicted: Tensor, measured: Tensor, mask: Tensor, kind: Kind = "pearson") -> Tensor:
    """Correlation r_p over the measured voxels, (B, ...) -> (B,); 0 where either does not vary.

    Args:
        predicted, measured: Fourier amplitudes, any unit: the value depends neither on scale nor on offset.
        mask: True where the detector measured.
        kind: ``pearson``: the ordinary, signed one; ``modified``: sum |x - <x>| |y - <y>| / (deviations), the paper's.

    Raises:
        UserError: Unknown kind.

    Source: Wu et al. (2021), text after Eq. 6. With its absolute values inside the sum, exactly anticorrelated data
    have r_p = 1 and independent uniform noise 0.75, so ``pearson`` is the better judge.
    """
    if kind not in KINDS:
        raise UserError(f"loss.kind={kind!r} is unknown: choose one of {', '.join(KINDS)}.")
    x, y, m = predicted.flatten(1), measured.flatten(1), mask.flatten(1)
    count = m.sum(1, keepdim=True).clamp_min(1)
    x = m * (x - (m * x).sum(1, keepdim=True) / count)
    y = m * (y - (m * y).sum(1, keepdim=True) / count)
    product = x * y if kind == "pearson" else (x * y).abs()
    spread = (x.square().sum(1) * y.square().sum(1)).clamp_min(torch.finfo(x.dtype).tiny)
    return product.sum(1) / spread.sqrt()


def correlation_loss(predicted: Tensor, measured: Tensor, mask: Tensor, kind: Kind = "pearson") -> Tensor:
    """1 - r_p, (B, ...) -> (B,): see pearson. Source: Wu et al. (2021), Eqs. 6 and 7, term L3."""
    return 1 - pearson(predicted, measured, mask, kind)
