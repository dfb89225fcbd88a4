"""Tasks: one LightningModule per question, and the checkpoints that hold them."""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.tasks.refining.refinement import Refinement

    from .checkpoint import load_task, read_checkpoint
    from .checkpoint_files import find_checkpoint
    from .complex_reconstruction import ComplexReconstruction
    from .healing import Healing
    from .hit_classification import HitClassification
    from .support_prediction import SupportPrediction

__all__ = [
    "ComplexReconstruction",
    "Healing",
    "HitClassification",
    "Refinement",
    "SupportPrediction",
    "find_checkpoint",
    "load_task",
    "read_checkpoint",
]

__getattr__ = lazily(__name__)
