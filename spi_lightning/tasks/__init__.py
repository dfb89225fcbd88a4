"""One LightningModule per question."""

from spi_lightning.tasks.checkpoint import find_checkpoint, load_task, read_checkpoint
from spi_lightning.tasks.hit_classification import HitClassification

__all__ = ["HitClassification", "find_checkpoint", "load_task", "read_checkpoint"]
