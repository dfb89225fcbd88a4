"""Activations of layers inside a network."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from spi_lightning.errors import UserError


def activations(network: nn.Module, pattern: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """Outputs of selected modules of a network.

    Args:
        network: Network to run once.
        pattern: Input of the network, (B, C, H, W).
        layers: Names of modules, as in its state dict: ``blocks.2``, ``features.0``.

    Returns:
        Output of each module by name, (B, C, h, w) or (B, d).

    Raises:
        UserError: There is no module of that name.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Tensor) -> None:
            found[name] = output

        return hook

    modules = dict(network.named_modules())
    wanted = list(layers)
    for name in wanted:
        if name not in modules:
            known = ", ".join(name for name, module in modules.items() if name and name.count(".") < 2)
            raise UserError(f"network.layers: {type(network).__name__} has no layer {name}: choose among {known}")
    hooks = [modules[name].register_forward_hook(keep(name)) for name in wanted]
    try:
        network(pattern)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in wanted}
