"""What happens beside training: saved configs, galleries, progress."""

from spi_lightning.callbacks.decide_at_validation import DecideAtValidation
from spi_lightning.callbacks.live_slices import LiveSlices
from spi_lightning.callbacks.progress import Progress
from spi_lightning.callbacks.resume_in_samples import ResumeInSamples
from spi_lightning.callbacks.save_config import SaveConfig
from spi_lightning.callbacks.save_often import SaveOften
from spi_lightning.callbacks.seed_every_step import SeedEveryStep
from spi_lightning.callbacks.settle_batch_norm import SettleBatchNorm
from spi_lightning.callbacks.stop_divergence import StopDivergence
from spi_lightning.callbacks.validate_at_end import ValidateAtEnd
from spi_lightning.callbacks.write_reconstruction import WriteReconstruction

__all__ = [
    "DecideAtValidation",
    "LiveSlices",
    "Progress",
    "ResumeInSamples",
    "SaveConfig",
    "SaveOften",
    "SeedEveryStep",
    "SettleBatchNorm",
    "StopDivergence",
    "ValidateAtEnd",
    "WriteReconstruction",
]
