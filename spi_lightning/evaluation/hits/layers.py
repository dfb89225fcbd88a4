"""One pattern in the convolutions of a network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spi_lightning.fields import FRAME, MASK, PHOTONS
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.checkpoint import CheckpointMethod
from spi_lightning.results.hit_pictures import LayerMaps


@torch.inference_mode()
def layer_maps(method: CheckpointMethod, patterns: PatternFile, frame: int, most: int = 5) -> LayerMaps:
    """Outputs of the convolutions of a network for one frame.

    Args:
        method: Method with the network.
        patterns: File of N frames.
        frame: Number of the frame.
        most: Largest number of layers, at even steps from the first to the last convolution.
    """
    found: dict[str, Tensor] = {}
    convolutions = [(name, part) for name, part in method.task.network.named_modules() if isinstance(part, nn.Conv2d)]
    chosen = np.unique(np.linspace(0, len(convolutions) - 1, min(most, len(convolutions))).round().astype(int))
    hooks = []
    for name, part in (convolutions[index] for index in chosen):

        def keep(_module: nn.Module, _inputs: Any, output: Tensor, name: str = name) -> None:
            found[name] = output[0]

        hooks.append(part.register_forward_hook(keep))
    try:
        photons = patterns.read([frame])
        counts = torch.from_numpy(photons)[:, None].to(method.device)
        mask = torch.from_numpy(patterns.read_mask([frame]).copy())[:, None].to(method.device)
        method.task.predict_step({PHOTONS: counts, MASK: mask, FRAME: torch.tensor([frame])})
    finally:
        for hook in hooks:
            hook.remove()
    maps = {name: values.float().cpu().numpy() for name, values in found.items()}
    return LayerMaps(method.name, frame, photons[0], maps)
