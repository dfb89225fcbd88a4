"""Page and learning curves of a training run."""
