"""How far a training has come."""

from pytorch_lightning.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Lightning's bar; where steps, not epochs, end the training, it counts towards them."""

    def _get_train_description(self, current_epoch: int) -> str:
        if (self.trainer.max_epochs or -1) > 0:
            return super()._get_train_description(current_epoch)
        last = f", step {self.trainer.global_step} of {self.trainer.max_steps}" if self.trainer.max_steps > 0 else ""
        return f"Epoch {current_epoch}{last}"
