"""torchmetrics classes over plain functions."""

from spi_lightning.metrics.asymmetry import centrosymmetry, free_asymmetry, phase_agreement, twin_agreement
from spi_lightning.metrics.chi_square import ChiSquare
from spi_lightning.metrics.domain import Descriptions, Domain, describe_patterns
from spi_lightning.metrics.fsc import FSC, fsc, half_bit_threshold
from spi_lightning.metrics.hit_metrics import HitMetrics
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.metrics.prtf import PRTF, prtf
from spi_lightning.metrics.r_factor import r_factor
from spi_lightning.metrics.shells import Shells, crossing, shells
from spi_lightning.metrics.support_metrics import SupportMetrics, SupportThreshold
from spi_lightning.metrics.support_overlap import Overlap, choose_level, support_overlap, trade_off
from spi_lightning.metrics.temperature import Temperature, fit_temperature
from spi_lightning.metrics.volume_error import VolumeMetrics, aligned_density_error, twin_floor, twin_target

__all__ = [
    "FSC",
    "PRTF",
    "ChiSquare",
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
    "r_factor",
    "shells",
    "support_overlap",
    "trade_off",
    "twin_agreement",
    "twin_floor",
    "twin_target",
]
