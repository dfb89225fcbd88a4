"""Metrics: torchmetrics classes over plain functions, for hits, supports, volumes and orientations."""

from spi_lightning.metrics.hits.domain import Descriptions, Domain, describe_patterns
from spi_lightning.metrics.hits.hit_metrics import HitMetrics
from spi_lightning.metrics.hits.temperature import Temperature, fit_temperature
from spi_lightning.metrics.supports.support_metrics import SupportMetrics, SupportThreshold
from spi_lightning.metrics.supports.support_overlap import (
    Overlap,
    centrosymmetry,
    choose_level,
    free_asymmetry,
    phase_agreement,
    support_overlap,
    trade_off,
    twin_agreement,
)
from spi_lightning.metrics.volumes.volume_error import VolumeMetrics, aligned_density_error, twin_floor, twin_target

from .fsc import FSC, fsc, half_bit_threshold
from .pattern_mean import PatternMean
from .prtf import PRTF, prtf
from .shells import Shells, crossing, shells

__all__ = [
    "FSC",
    "PRTF",
    "Descriptions",
    "Domain",
    "HitMetrics",
    "Overlap",
    "PatternMean",
    "Shells",
    "SupportMetrics",
    "SupportThreshold",
    "Temperature",
    "VolumeMetrics",
    "aligned_density_error",
    "centrosymmetry",
    "choose_level",
    "crossing",
    "describe_patterns",
    "fit_temperature",
    "free_asymmetry",
    "fsc",
    "half_bit_threshold",
    "phase_agreement",
    "prtf",
    "shells",
    "support_overlap",
    "trade_off",
    "twin_agreement",
    "twin_floor",
    "twin_target",
]
