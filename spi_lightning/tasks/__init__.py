"""One LightningModule per question."""
