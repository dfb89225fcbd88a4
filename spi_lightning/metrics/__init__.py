"""torchmetrics classes over plain functions."""

from spi_lightning.metrics.domain import Descriptions, Domain, describe_patterns
from spi_lightning.metrics.hit_metrics import HitMetrics
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.metrics.temperature import Temperature, fit_temperature

__all__ = [
    "Descriptions",
    "Domain",
    "HitMetrics",
    "PatternMean",
    "Temperature",
    "describe_patterns",
    "fit_temperature",
]
