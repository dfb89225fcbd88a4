"""Pixel vectors of patterns, and Pearson correlation of patterns with individual masks."""

from typing import Literal

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.array import bin_pixels, centre_crop

Scale = Literal["none", "sqrt", "log"]
Fill = Literal["rings", "mean", "nan"]


class PixelVectors:
    """Vectors of measured pixels: photons (n, H, W), mask (H, W) or (n, H, W) bool -> (n, d) float32.

    With a common mask (H, W), d is the number of measured pixels, so that correlations and distances are those of
    measured pixels alone. With a mask for each frame, d is the number of all pixels, and unmeasured ones are filled by
    ``fill``.

    Args:
        bin: Edge of the squares of pixels that are summed.
        scale: Scaling of photons: ``sqrt`` is the variance-stabilising 2 sqrt(n + 3/8) of Anscombe (1948),
            doi:10.1093/biomet/35.3-4.246; ``log`` is log(1 + n); ``none`` leaves photons.
        crop: Edge of the central square in use, pixel of the file; None: all.
        fill: Filling with a mask for each frame: ``rings``, the mean of the frame over the ring of one pixel width
            around the centre (over all measured pixels for an unmeasured ring); ``mean``, the mean of the frame, which
            does not contribute to a correlation; ``nan``, for the metric ``masked_correlation``, which leaves them out.
            A frame without measured pixels becomes 0, or all NaN.
    """

    def __init__(self, bin: int = 2, scale: Scale = "sqrt", crop: int | None = None, fill: Fill = "rings") -> None:
        if scale not in ("none", "sqrt", "log"):
            raise UserError(f"vectors.scale={scale} is not known: use sqrt, log or none")
        if fill not in ("rings", "mean", "nan"):
            raise UserError(f"vectors.fill={fill} is not known: use rings, mean or nan")
        if bin < 1:
            raise UserError(f"vectors.bin={bin} must be 1 or more")
        self.bin, self.scale, self.crop, self.fill = bin, scale, crop, fill

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) of photons (n, H, W) and masks."""
        shared = mask.ndim == 2
        photons, mask = centre_crop(photons, self.crop), centre_crop(mask, self.crop)
        binned, measured = bin_pixels(photons[:, None], mask[None, None] if shared else mask[:, None], self.bin)
        values = self._scaled(binned.squeeze(1))
        if shared:
            return values[:, measured.squeeze()]
        measured = measured.squeeze(1)
        if self.fill == "nan":
            return torch.where(measured, values, torch.nan).flatten(1)
        means = _frame_means(values, measured) if self.fill == "mean" else _ring_means(values, measured)
        return torch.where(measured, values, means).flatten(1)

    def _scaled(self, photons: Tensor) -> Tensor:
        if self.scale == "sqrt":
            return 2 * (photons.clamp_min(0) + 0.375).sqrt()
        return photons.clamp_min(0).log1p() if self.scale == "log" else photons


def _frame_means(values: Tensor, measured: Tensor) -> Tensor:
    """Mean over the measured pixels of each frame, (n, H, W) -> (n, 1, 1)."""
    total = torch.where(measured, values, 0.0).sum((1, 2), keepdim=True)
    return total / measured.sum((1, 2), keepdim=True).clamp_min(1)


def _ring_means(values: Tensor, measured: Tensor) -> Tensor:
    """Mean over the measured pixels of the ring of each pixel, (n, H, W) -> (n, H, W)."""
    count, height, width = values.shape
    y, x = torch.meshgrid(
        *(torch.arange(n, device=values.device, dtype=values.dtype) - n // 2 for n in (height, width)), indexing="ij"
    )
    ring = torch.hypot(y, x).round().long().flatten()
    empty = values.new_zeros(count, int(ring.max()) + 1)
    pixels = empty.index_add(1, ring, measured.flatten(1).to(values.dtype))
    total = empty.index_add(1, ring, torch.where(measured, values, 0.0).flatten(1))
    means = torch.where(pixels > 0, total / pixels.clamp_min(1), _frame_means(values, measured).flatten(1))
    return means[:, ring].view_as(values)


def masked_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation of every pair over their common entries.

    Means, variances and products are taken over the same entries, so that a vector correlates with itself to 1.

    Args:
        first: (n, d) float vectors, NaN where an entry is missing.
        second: (m, d) float vectors, NaN where an entry is missing.

    Returns:
        (n, m) from -1 to 1; -1, the farthest, where fewer than two entries are common or one vector is constant on
        them.

    Source: Pearson's r with pairwise deletion; the product over all pixels with means over measured ones is no
        correlation (its value for a pattern with itself is far from 1).
    """
    (x, has_x), (y, has_y) = _centred(first), _centred(second)
    shared = (has_x @ has_y.T).clamp_min(1)
    sum_x, sum_y = x @ has_y.T, has_x @ y.T
    covariance = x @ y.T - sum_x * sum_y / shared
    square_x, square_y = x**2 @ has_y.T, has_x @ (y**2).T
    variance_x, variance_y = square_x - sum_x**2 / shared, square_y - sum_y**2 / shared
    defined = (variance_x > 1e-6 * square_x) & (variance_y > 1e-6 * square_y) & (shared > 1)
    scale = (variance_x * variance_y).clamp_min(torch.finfo(x.dtype).tiny).sqrt()
    return torch.where(defined, (covariance / scale).clamp(-1, 1), -1.0)


def _centred(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Centred vectors (n, d), 0 for missing entries, and their mask as 0 and 1."""
    has = ~vectors.isnan()
    mean = vectors.nanmean(dim=1, keepdim=True).nan_to_num(0.0)
    return torch.where(has, vectors - mean, 0.0), has.to(vectors.dtype)
