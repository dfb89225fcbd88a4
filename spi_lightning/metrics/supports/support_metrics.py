"""Metrics of predicted supports and densities over all patterns of all processes, however they were batched."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from spi_lightning.physics.support import ideal_support

from .support_overlap import (
    LEVELS,
    centrosymmetry,
    choose_level,
    free_asymmetry,
    phase_agreement,
    support_overlap,
    trade_off,
    twin_agreement,
)

PER_PATTERN = (
    "false_negatives",
    "false_positives",
    "area_ratio",
    "iou",
    "centrosymmetry",
    "true_centrosymmetry",
    "asymmetry",
    "true_asymmetry",
    "correlation",
    "twin_correlation",
    "true_twin_gap",
    "phase_agreement",
)


class SupportMetrics(Metric):
    """Means over patterns of support_overlap, and of asymmetry and correlation of the densities.

    ``compute`` returns a dict of scalars: covered (share of the patterns with fewer than ``allowed`` false negatives),
    worst_structure (least such share of any structure), the means of PER_PATTERN, twin_gap (difference of
    the correlations with the better one of truth and twin and with the other; 0: undecided; true_twin_gap: of the truth
    itself), and patterns. All values are kept and sorted before they are added up, so that batches do not change a bit.

    Args:
        fraction: Share of the maximum of the density above which a pixel belongs to the true support.
        allowed: Number of false negatives from which a support counts as too small, pixel.
    """

    value: list[Tensor]
    structure: list[Tensor]
    full_state_update = False

    def __init__(self, fraction: float = 0.1, allowed: float = 2.0) -> None:
        super().__init__()
        self.fraction, self.allowed = fraction, allowed
        self.add_state("value", [], dist_reduce_fx="cat")
        self.add_state("structure", [], dist_reduce_fx="cat")

    def update(self, support: Tensor, density: Tensor, truth: Tensor, structure: Tensor) -> None:
        """Add B patterns; B may be 0.

        Args:
            support: (B, H, W) bool, predicted supports.
            density: (B, H, W) predicted densities, or scores of the supports.
            truth: (B, H, W) true densities.
            structure: (B,) int64 index of the structure of each pattern.
        """
        self.structure.append(structure)
        if not len(truth):  # the transform of nothing is an error to MKL
            self.value.append(truth.new_zeros(0, len(PER_PATTERN), dtype=torch.float32))
            return
        true_support = ideal_support(truth, self.fraction)
        numbers = support_overlap(support, true_support).as_dict()
        numbers["asymmetry"], numbers["true_asymmetry"] = free_asymmetry(density), free_asymmetry(truth)
        agreement = torch.stack(twin_agreement(density, truth))
        numbers["correlation"], numbers["twin_correlation"] = agreement.amax(dim=0), agreement.amin(dim=0)
        numbers["true_twin_gap"] = 1 - centrosymmetry(truth)
        numbers["phase_agreement"] = phase_agreement(density, truth)
        self.value.append(torch.stack([numbers[name] for name in PER_PATTERN], dim=1).detach().float())

    def compute(self) -> dict[str, Tensor]:
        """Metrics of all patterns so far, by name; empty without patterns."""
        if not len(self.value):
            return {}
        values, structure = dim_zero_cat(self.value).double(), dim_zero_cat(self.structure)
        means = values.sort(dim=0).values.mean(dim=0).float()
        numbers = dict(zip(PER_PATTERN, means, strict=True))
        covered = values[:, 0] < self.allowed
        known, row = torch.unique(structure, return_inverse=True)
        share = torch.zeros(len(known), dtype=torch.float64, device=row.device).index_add(0, row, covered.double())
        share /= torch.bincount(row, minlength=len(known))
        return {
            "covered": covered.double().mean().float(),
            "worst_structure": share.min().float(),
            **numbers,
            "twin_gap": numbers["correlation"] - numbers["twin_correlation"],
            "patterns": torch.tensor(len(values)),
        }


class SupportThreshold(Metric):
    """Threshold of choose_level over the patterns of a validation; see trade_off.

    Args:
        coverage: Least share of patterns with fewer than ``allowed`` false negatives.
        fraction, allowed: Definition of the true support and of a covered one, as in SupportMetrics.
    """

    missed: list[Tensor]
    loose: list[Tensor]
    full_state_update = False

    def __init__(self, coverage: float = 0.97, fraction: float = 0.1, allowed: float = 2.0) -> None:
        super().__init__()
        self.coverage, self.fraction, self.allowed = coverage, fraction, allowed
        self.add_state("missed", [], dist_reduce_fx="cat")
        self.add_state("loose", [], dist_reduce_fx="cat")

    def update(self, score: Tensor, truth: Tensor) -> None:
        """Add scores (B, H, W) in [0, 1] and true densities (B, H, W); B may be 0."""
        empty = truth.new_zeros(0, len(LEVELS), dtype=torch.float32)
        missed, loose = trade_off(score, ideal_support(truth, self.fraction)) if len(truth) else (empty, empty)
        self.missed.append(missed.float())
        self.loose.append(loose.float())

    def compute(self) -> Tensor:
        """Threshold over all patterns so far, a scalar."""
        missed, loose = dim_zero_cat(self.missed), dim_zero_cat(self.loose)
        return torch.tensor(choose_level(missed, loose, LEVELS, self.coverage, self.allowed))
