"""torchmetrics classes over plain functions."""

from spi_lightning.metrics.asymmetry import centrosymmetry, free_asymmetry, twin_agreement
from spi_lightning.metrics.domain import Descriptions, Domain, describe_patterns
from spi_lightning.metrics.hit_metrics import HitMetrics
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.metrics.support_metrics import SupportMetrics, SupportThreshold
from spi_lightning.metrics.support_overlap import Overlap, choose_level, support_overlap, trade_off
from spi_lightning.metrics.temperature import Temperature, fit_temperature

__all__ = [
    "Descriptions",
    "Domain",
    "HitMetrics",
    "Overlap",
    "PatternMean",
    "SupportMetrics",
    "SupportThreshold",
    "Temperature",
    "centrosymmetry",
    "choose_level",
    "describe_patterns",
    "fit_temperature",
    "free_asymmetry",
    "support_overlap",
    "trade_off",
    "twin_agreement",
]
