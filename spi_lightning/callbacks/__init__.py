"""Lightning callbacks: checkpoints with configuration, resuming, validation, progress, reconstructions, pruning."""

from .averaging import KeepEvaluation
from .checkpoints import ResumeInSamples, SaveConfig, SaveOften
from .progress import LiveSlices, Progress, WriteReconstruction
from .pruning import PruneTrial
from .resumption import Changes, ResumeWithChanges
from .steps import SeedEveryStep, StopDivergence
from .validation import DecideAtValidation, RecalibrateBatchNorm, ValidateAtEnd

__all__ = [
    "Changes",
    "DecideAtValidation",
    "KeepEvaluation",
    "LiveSlices",
    "Progress",
    "PruneTrial",
    "RecalibrateBatchNorm",
    "ResumeInSamples",
    "ResumeWithChanges",
    "SaveConfig",
    "SaveOften",
    "SeedEveryStep",
    "StopDivergence",
    "ValidateAtEnd",
    "WriteReconstruction",
]
