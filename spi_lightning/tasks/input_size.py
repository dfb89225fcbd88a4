"""Test of whether the patterns of a file become an input that a network takes, before it is trained on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn

from spi_lightning.data.hits import HitDataset
from spi_lightning.data.transforms import HitInput, Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import PHOTONS
from spi_lightning.io.input_window import USUAL_SIZE, size_refusal

_SIZES: Final = (USUAL_SIZE, 128, 32, 256, 224, *range(16, 257, 4))  # pixel, tried on a network without ``size``


def require_input(network: nn.Module, preprocess: HitInput, dataset: HitDataset, device: torch.device) -> None:
    """Refuse patterns that a network cannot take, naming bin and crop that make them an input of it.

    Args:
        network: Map from preprocessed photons (B, C, h, w) to logits.
        preprocess: Map from a batch to the input of the network.
        dataset: Patterns of a file, of which the first is tried.
        device: Device of the network.

    Raises:
        UserError: The network takes squares of another size, or the bin does not divide the patterns. Other errors of
            the network are left to the training.
    """
    batch = {name: values.to(device) for name, values in dataset[[0]].items()}
    if PHOTONS not in batch:
        return  # features of a frozen backbone, which took the patterns before
    made = None
    with _trial(network):
        try:
            made = preprocess(batch)
            network(made)
            return
        except (UserError, RuntimeError):
            if not isinstance(preprocess, Preprocess):
                raise
            size = _size_of(network, preprocess, device)
    if size is not None or made is None:
        now, smaller = (preprocess.crop, preprocess.bin), "the patterns are smaller; set network.size if it has one"
        raise size_refusal(dataset.file, type(network).__name__, size, now, smaller)


def _size_of(network: nn.Module, preprocess: Preprocess, device: torch.device) -> int | None:
    """Edge of a square input that the network takes, pixel; None where none of those tried passes."""
    channels = 1 + preprocess.mask_channel
    height, width = preprocess.mean.shape  # 1 x 1 without a mean image
    stated: tuple[object, ...] = (width if height == width > 1 else None, getattr(network, "size", None))
    sizes: list[int] = [*(edge for edge in stated if isinstance(edge, int)), *_SIZES]
    for size in sizes:
        if _takes(network, torch.zeros(1, channels, size, size, device=device)):
            return size
    return None


def _takes(network: nn.Module, pattern: Tensor) -> bool:
    try:
        network(pattern)
    except (UserError, RuntimeError):
        return False
    return True


@contextmanager
def _trial(network: nn.Module) -> Iterator[None]:
    """Context without gradients in which the network is in its state of evaluation."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)
