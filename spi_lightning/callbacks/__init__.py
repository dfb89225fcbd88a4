"""Lightning callbacks: checkpoints with configuration, resuming, validation, progress, reconstructions."""

from .decide_at_validation import DecideAtValidation
from .live_slices import LiveSlices
from .progress import Progress
from .recalibrate_batch_norm import RecalibrateBatchNorm
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
    "RecalibrateBatchNorm",
    "ResumeInSamples",
    "SaveConfig",
    "SaveOften",
    "SeedEveryStep",
    "StopDivergence",
    "ValidateAtEnd",
    "WriteReconstruction",
]
