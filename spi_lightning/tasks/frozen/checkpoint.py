"""Network of a run of this project as a frozen backbone, in place of VGG16 with ImageNet weights."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from spi_lightning import networks
from spi_lightning.data.transforms import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.tasks.checkpoint import BEST, find_checkpoint, load_weights, read_checkpoint

from .backbone import PENULTIMATE, FrozenBackbone


class FrozenCheckpoint(FrozenBackbone):
    """Frozen network of a trained hit classification, with its own preprocessing.

    Args:
        checkpoint: Run folder, checkpoint, or a folder of runs, of which the newest is taken.
        layers: ``penultimate``, or names of modules, e.g. ``blocks.1``, whose maps are averaged over pixels.
        batch_size: Number of patterns processed at a time.

    Raises:
        UserError: There is no such run or checkpoint, or it has no network of its own.
    """

    def __init__(self, checkpoint: str | Path, layers: Sequence[str] = (PENULTIMATE,), batch_size: int = 64) -> None:
        self.path = path = newest_checkpoint(checkpoint)
        stored = read_checkpoint(path)
        task = (stored["config"] or {}).get("task") or {}
        network, options = _build(task.get("network"), path), task.get("preprocess") or {}
        preprocess = Preprocess(**_options(options))
        state = stored["state_dict"]
        for module, prefix in ((network, "network."), (preprocess, "preprocess.")):
            weights = {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}
            load_weights(module, weights, f"{path}: its weights do not fit its network")
        label = f"{type(network).__name__} of {path}"
        settings = {"network": task["network"], "preprocess": options}
        view = _View(preprocess)
        super().__init__(view, network, layers, label, _sha256_of_state(state), settings, batch_size)


class _View(nn.Module):
    """Preprocess with two arguments, photons and mask (B, 1, H, W), instead of a batch."""

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess

    def forward(self, photons: Tensor, mask: Tensor) -> Tensor:
        pattern: Tensor = self.preprocess({PHOTONS: photons, MASK: mask})
        return pattern


def newest_checkpoint(path: str | Path) -> Path:
    """Checkpoint of a path, as find_checkpoint; of a folder of runs that of the newest.

    Raises:
        UserError: There is no checkpoint.
    """
    runs = sorted(Path(path).glob(f"*/{BEST}"), key=lambda file: file.stat().st_mtime)
    try:
        return runs[-1] if runs else find_checkpoint(path)
    except UserError as error:
        line = str(error).replace("checkpoint=", "network.backbone=", 1).rstrip(".")
        raise UserError(f"{line}; train one with: python train.py experiment=han_resnet10") from error


def _build(config: Any, path: Path) -> nn.Module:
    """Network of a configuration, of this package and with features."""
    config = config if isinstance(config, dict) else {}
    module, _, name = str(config.get("_target_", "")).rpartition(".")
    make: Any = getattr(networks, name, None)
    if not module.startswith("spi_lightning.networks") or not hasattr(make, "features"):
        raise UserError(
            f"{path}: cannot serve as a backbone: it holds {name or 'no network'}; use a ResNet10 or TinyCNN"
        )
    network: nn.Module = make(**_options(config))
    return network


def _options(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}


def _sha256_of_state(state: dict[str, Tensor]) -> str:
    """Hash of the weights of network and preprocessing, independent of their file."""
    digest = hashlib.sha256()
    for name in sorted(name for name in state if name.startswith(("network.", "preprocess."))):
        digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
