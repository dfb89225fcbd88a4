"""torchmetrics classes over plain functions."""

from spi_lightning.metrics.asymmetry import centrosymmetry, free_asymmetry, twin_agreement
from spi_lightning.metrics.chi_square import ChiSquare, fourier_errors, held_out_chi_square
from spi_lightning.metrics.domain import Descriptions, Domain, describe_patterns
from spi_lightning.metrics.hit_metrics import HitMetrics
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.metrics.support_metrics import SupportMetrics, SupportThreshold
from spi_lightning.metrics.support_overlap import Overlap, choose_level, support_overlap, trade_off
from spi_lightning.metrics.temperature import Temperature, fit_temperature
from spi_lightning.metrics.volume_error import VolumeMetrics, aligned_density_error, twin_floor, twin_target

__all__ = [
    "ChiSquare",
    "Descriptions",
    "Domain",
    "HitMetrics",
    "Overlap",
    "PatternMean",
    "SupportMetrics",
    "SupportThreshold",
    "Temperature",
    "VolumeMetrics",
    "aligned_density_error",
    "centrosymmetry",
    "choose_level",
    "describe_patterns",
    "fit_temperature",
    "fourier_errors",
    "free_asymmetry",
    "held_out_chi_square",
    "support_overlap",
    "trade_off",
    "twin_agreement",
    "twin_floor",
    "twin_target",
]
