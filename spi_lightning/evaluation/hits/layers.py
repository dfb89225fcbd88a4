"""A pattern as the layers of a network see it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spi_lightning.fields import FRAME, MASK, PHOTONS
from spi_lightning.files import atomic_write
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.checkpoint import CheckpointMethod
from spi_lightning.write_errors import new_hdf5

Maps = dict[str, NDArray[np.float32]]


@torch.inference_mode()
def layer_maps(method: CheckpointMethod, patterns: PatternFile, frame: int, most: int = 5) -> Maps:
    """What the convolutions of a network make of one frame.

    Args:
        method: The network.
        patterns: The file.
        frame: Its number.
        most: Layers, at even steps from the first to the last convolution.

    Returns:
        Name of a convolution -> (C, h, w) float32.
    """
    found: dict[str, Tensor] = {}
    convolutions = [(name, part) for name, part in method.task.network.named_modules() if isinstance(part, nn.Conv2d)]
    places = np.unique(np.linspace(0, len(convolutions) - 1, min(most, len(convolutions))).round().astype(int))
    hooks = []
    for name, part in (convolutions[place] for place in places):

        def keep(_module: nn.Module, _inputs: Any, output: Tensor, name: str = name) -> None:
            found[name] = output[0]

        hooks.append(part.register_forward_hook(keep))
    try:
        photons = torch.from_numpy(patterns.read([frame]))[:, None].to(method.device)
        mask = torch.from_numpy(patterns.read_mask([frame]).copy())[:, None].to(method.device)
        method.task.predict_step({PHOTONS: photons, MASK: mask, FRAME: torch.tensor([frame])})
    finally:
        for hook in hooks:
            hook.remove()
    return {name: maps.float().cpu().numpy() for name, maps in found.items()}


def write_layer_maps(path: Path, name: str, frame: int, photons: NDArray[np.float32], maps: Maps) -> None:
    """Write layers.h5, whole or not at all: the frame's photons (H, W) and its maps, under the network's name."""
    with atomic_write(path) as part, new_hdf5(part) as file:
        file.attrs.update(name=name, frame=frame)
        file["photons"] = photons
        group = file.create_group("maps", track_order=True)
        for layer, values in maps.items():
            group.create_dataset(layer, data=values, compression="gzip")
