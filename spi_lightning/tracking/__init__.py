"""Runs and artifacts: the only place that knows wandb."""
