"""Ensemble of classifiers that were trained apart and answer together."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError


class Ensemble(nn.Module):
    """Classifiers of the same patterns as one: the mean of their logits, their features side by side.

    Args:
        members: Classifiers that take the same input and have the same classes.

    Raises:
        UserError: There is no member.

    Source: Lakshminarayanan et al. (2017), Adv. Neural Inf. Process. Syst. 30; logits are averaged here instead of
    probabilities, as one temperature calibrates them afterwards.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise UserError("network.members is empty: an ensemble needs one network at least")
        self.members = nn.ModuleList(members)

    def forward(self, pattern: Tensor) -> Tensor:
        """Preprocessed patterns (B, C, H, W) -> mean logits (B,), or (B, classes)."""
        return torch.stack([member(pattern) for member in self.members]).mean(0)

    def features(self, pattern: Tensor) -> Tensor:
        """Features of all members side by side, (B, d_1 + d_2 + ...)."""
        return torch.cat([member.features(pattern) for member in self.members], dim=1)  # type: ignore[operator]

    def head(self, features: Tensor) -> Tensor:
        """Features of all members -> mean of their logits, (B, classes)."""
        heads = [cast(nn.Module, member.head) for member in self.members]
        widths = [next(each for each in head.parameters() if each.ndim == 2).shape[1] for head in heads]
        parts = features.split(widths, dim=1)  # type: ignore[no-untyped-call]
        return torch.stack([head(part) for head, part in zip(heads, parts, strict=True)]).mean(0)
