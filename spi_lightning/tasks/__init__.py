"""One LightningModule per question."""

from spi_lightning.tasks.checkpoint import find_checkpoint, load_task, read_checkpoint
from spi_lightning.tasks.healing import Healing
from spi_lightning.tasks.hit_classification import HitClassification
from spi_lightning.tasks.support_prediction import SupportPrediction

__all__ = ["Healing", "HitClassification", "SupportPrediction", "find_checkpoint", "load_task", "read_checkpoint"]
