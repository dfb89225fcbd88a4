"""The command ``spi classify``: the single hits of a file by the general network that the package brings."""

from typing import Any

from omegaconf import DictConfig

from .evaluate import evaluate


def classify(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate the chosen network on a file, with labels or without.

    Args:
        cfg: conf/classify.yaml with what was laid over it.

    Returns:
        Numbers of metrics.json.

    Raises:
        UserError: A mistake in settings or files.
    """
    return evaluate(cfg)
