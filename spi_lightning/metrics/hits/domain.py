"""Distance of the features of a pattern from those of the patterns that a network was validated on."""

from typing import Any

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

LEAST_PATTERNS = 50
MOST_FEATURES = 64
LEVELS = (0.5, 0.9, 0.99)


def describe_patterns(features: Tensor, pattern: Tensor) -> Tensor:
    """Feature vectors of patterns: features of the network and summary statistics that it may ignore.

    Args:
        features: (B, d) penultimate values; more than 64 are mixed down to 64 by fixed random directions.
        pattern: (B, C, h, w) preprocessed patterns; channel 0 counts.

    Returns:
        (B, d + 5): the features, then log mean, log deviation, share of lit pixels, and mean and deviation of the
        distance from the middle, weighted by the pattern. A network that was trained to ignore
        something, such as the position of the beam, has no feature for it.
    """
    if features.shape[1] > MOST_FEATURES:
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(features.shape[1], MOST_FEATURES, generator=generator) / features.shape[1] ** 0.5
        features = features @ directions.to(features)
    image = pattern[:, 0].float()
    height, width = image.shape[-2:]
    y = (torch.arange(height, device=image.device) - (height - 1) / 2) / (height / 2)
    x = (torch.arange(width, device=image.device) - (width - 1) / 2) / (width / 2)
    radius = torch.hypot(y[:, None], x[None, :])
    weight = image.abs()
    total = weight.sum((1, 2)).clamp(min=1e-6)
    mean_radius = (weight * radius).sum((1, 2)) / total
    spread = ((weight * radius.square()).sum((1, 2)) / total - mean_radius.square()).clamp(min=0).sqrt()
    lit = (image != 0).float().mean((1, 2))
    plain = [weight.mean((1, 2)).log1p(), image.std((1, 2)).log1p(), lit, mean_radius, spread]
    return torch.cat([features.float(), torch.stack(plain, dim=1)], dim=1)


class Descriptions(Metric):
    """Collection of the feature vectors of all patterns of all processes, see describe_patterns."""

    rows: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(self, rows: Tensor) -> None:
        """Add feature vectors (B, d)."""
        self.rows.append(rows.detach())

    def compute(self) -> Tensor:
        """All feature vectors, (N, d), in an order that depends on neither batches nor processes."""
        if len(self.rows) == 0:  # a list, or after the processes have met a tensor
            return torch.empty(0, 0)
        rows = dim_zero_cat(self.rows).double().cpu()
        return rows[torch.as_tensor(np.lexsort(rows.numpy().T).copy())]


class Domain(nn.Module):
    """Domain of validation of a network: mean and covariance of feature vectors, kept in its checkpoint.

    Source: Mahalanobis distance of features, Lee et al. (2018), arXiv 1807.03888; covariance of Ledoit & Wolf (2004).
    """

    mean: Tensor
    whitening: Tensor
    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("whitening", torch.empty(0, 0))
        self.register_buffer("levels", torch.empty(0))  # distances that LEVELS of the validation patterns stay below

    @property
    def known(self) -> bool:
        """Whether the domain was fitted, or read from a checkpoint in which it was."""
        return len(self.levels) > 0

    def fit(self, rows: Tensor) -> None:
        """Fit to (N, d) rows, half for the covariance, half for the levels; fewer than 50 change nothing."""
        if len(rows) < LEAST_PATTERNS:
            return
        rows = rows.double().cpu()
        half = rows[::2]
        mean, scale = half.mean(0), half.std(0)
        scale = torch.where(scale > 1e-9 * (1 + mean.abs()), scale, scale.max().clamp(min=1e-9))
        covariance, _ = ledoit_wolf(((half - mean) / scale).numpy(), assume_centered=True)
        whitening = np.linalg.cholesky(np.linalg.inv(covariance))
        self.mean = mean.float().to(self.mean.device)
        self.whitening = (torch.as_tensor(whitening) / scale[:, None]).float().to(self.whitening.device)
        self.levels = torch.quantile(self._distance(rows[1::2].float()), torch.tensor(LEVELS)).to(self.levels.device)

    def forward(self, rows: Tensor) -> Tensor:
        """Distance of each row, (B, d) -> (B,), in units of the 99 % quantile of the validation patterns."""
        return self._distance(rows) / self.levels[-1]

    def beyond_most(self) -> float:
        """90 % quantile of the distances of the validation patterns, in the same unit."""
        return float(self.levels[1] / self.levels[2])

    def _distance(self, rows: Tensor) -> Tensor:
        distance: Tensor = ((rows - self.mean.to(rows)) @ self.whitening.to(rows)).norm(dim=1)
        return distance

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: list[str], *args: Any
    ) -> None:
        """Resize buffers to the stored ones; without them, in older checkpoints, the domain stays unknown."""
        for name in ("mean", "whitening", "levels"):
            stored = state_dict.get(f"{prefix}{name}")
            if isinstance(stored, Tensor):
                setattr(self, name, getattr(self, name).new_zeros(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *args)
        if not any(key.startswith(prefix) for key in state_dict):
            missing[:] = [key for key in missing if not key.startswith(prefix)]
