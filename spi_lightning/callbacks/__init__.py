"""What happens beside training: saved configs, galleries, progress."""

from .decide_at_validation import DecideAtValidation
from .live_slices import LiveSlices
from .progress import Progress
from .recalibrate_batch_norm import SettleBatchNorm
from .resume_in_samples import ResumeInSamples
from .save_config import SaveConfig
from .save_often import SaveOften
from .seed_every_step import SeedEveryStep
from .stop_divergence import StopDivergence
from .validate_at_end import ValidateAtEnd
from .write_reconstruction import WriteReconstruction

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
