"""One LightningModule per question."""

from spi_lightning.tasks.checkpoint import find_checkpoint, load_task, read_checkpoint
from spi_lightning.tasks.complex_reconstruction import ComplexReconstruction
from spi_lightning.tasks.healing import Healing
from spi_lightning.tasks.hit_classification import HitClassification
from spi_lightning.tasks.refinement import Refinement
from spi_lightning.tasks.support_prediction import SupportPrediction

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
