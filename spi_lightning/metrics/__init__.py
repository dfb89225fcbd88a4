"""torchmetrics classes over plain functions."""

from spi_lightning.metrics.hit_metrics import HitMetrics
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.metrics.temperature import Temperature, fit_temperature

__all__ = ["HitMetrics", "PatternMean", "Temperature", "fit_temperature"]
