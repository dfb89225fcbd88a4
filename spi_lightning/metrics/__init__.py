"""torchmetrics classes over plain functions."""
