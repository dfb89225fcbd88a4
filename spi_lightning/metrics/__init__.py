"""Metrics: torchmetrics classes over plain functions, for hits, supports, volumes and orientations.

The functions fsc, prtf and shells are those of the modules of their names.
"""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
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

    from .fsc import FSC, half_bit_threshold
    from .pattern_mean import PatternMean
    from .prtf import PRTF
    from .shells import Shells, crossing

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
    "half_bit_threshold",
    "phase_agreement",
    "support_overlap",
    "trade_off",
    "twin_agreement",
    "twin_floor",
    "twin_target",
]

__getattr__ = lazily(__name__)
