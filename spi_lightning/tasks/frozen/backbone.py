"""Frozen network as a fixed map from patterns to features: the activations of its layers, and the network of a run."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spi_lightning import networks
from spi_lightning.data.transforms import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.fingerprint import fingerprint
from spi_lightning.tasks.checkpoint import load_weights, read_checkpoint
from spi_lightning.tasks.checkpoint_files import BEST, find_checkpoint


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


PENULTIMATE = "penultimate"
STAND_IN = "network.weights=null network.backbone=runs/han_resnet10 (any run or checkpoint), or method=frozen_resnet10"


class FrozenBackbone:
    """Frozen map from photons and mask to features, computed in batches.

    It is not an nn.Module, so that its weights are neither stored nor trained.

    Args:
        view: Map from photons and mask (B, 1, H, W) to the input of the network.
        network: Network with its final weights.
        layers: Modules whose outputs are concatenated to features; maps are averaged over their pixels.
            ``penultimate`` is network.features.
        label: Name for reports and errors.
        weights_sha256: Hash that identifies the weights, 64 hexadecimal digits.
        settings: All other settings that decide the features, as plain containers.
        batch_size: Number of patterns processed at a time.
    """

    def __init__(
        self,
        view: nn.Module,
        network: nn.Module,
        layers: Sequence[str],
        label: str,
        weights_sha256: str,
        settings: dict[str, Any],
        batch_size: int,
    ) -> None:
        if not layers:
            raise UserError("network.layers=[] leaves no features: name one layer or more")
        self.view, self.network = view.eval(), network.eval().requires_grad_(False)
        self.layers, self.label, self.weights_sha256 = list(layers), label, weights_sha256
        self.settings, self.batch_size = {**settings, "layers": self.layers}, batch_size
        self.width = self._measure_width()

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides the features but the patterns."""
        return fingerprint(self.weights_sha256, self.settings)

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Photons (B, 1, H, W) and mask (B or 1, 1, H, W) bool -> features (B, width) float32."""
        self._prepare(photons.device)
        masks = mask.expand(photons.shape)
        parts = [
            self._describe(self.view(photons[start : start + self.batch_size], masks[start : start + self.batch_size]))
            for start in range(0, len(photons), self.batch_size)
        ]
        return torch.cat(parts) if parts else photons.new_zeros(0, self.width)

    def weights_loaded(self) -> None:
        """Hook after weights were loaded from a checkpoint; nothing to do here."""

    def maps(self, photons: Tensor, mask: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of layers by name, (B, C, h, w) or (B, d), as in Han & Li (2017), Fig. 13."""
        self._prepare(photons.device)
        with torch.no_grad():
            return self._activations(self.view(photons, mask.expand(photons.shape)), layers)

    def _prepare(self, device: torch.device) -> None:
        """Move the network with its weights to the device of the patterns."""
        self.view.to(device)
        if next(self.network.parameters()).device != device:
            self.network.to(device)

    def _describe(self, image: Tensor) -> Tensor:
        """Features (B, width) of network inputs (B, C, h, w)."""
        values = self._activations(image, self.layers).values()
        return torch.cat([value.mean(dim=(2, 3)) if value.ndim == 4 else value for value in values], dim=1)

    def _activations(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        wanted = activations(self.network, image, [name for name in layers if name != PENULTIMATE])
        if PENULTIMATE in layers:
            wanted[PENULTIMATE] = self.network.features(image)  # type: ignore[operator]
        return {name: wanted[name] for name in layers}

    def _measure_width(self) -> int:
        """Number of features, from one blank input of the size that the network takes."""
        channels = next(m.in_channels for m in self.network.modules() if isinstance(m, nn.Conv2d))
        edge = int(getattr(self.network, "size", 64))
        with torch.no_grad():
            return self._describe(torch.zeros(1, channels, edge, edge)).shape[1]


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
        if str(options.get("_target_", "")).endswith(".ScaleFree"):
            raise UserError(f"{path}: cannot serve as a backbone: its preprocessing finds the scale of each file")
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
        raise UserError(f"{line}; train one with: spi train experiment=han_resnet10") from error


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
    """SHA-256 of the weights of network and preprocessing, independent of their file; 64 hexadecimal digits.

    Checkpoints of heads hold it to recognise their backbone. They outlive versions of this package, with which
    ``fingerprint`` may change, so that it is computed from the bytes alone.
    """
    digest = hashlib.sha256()
    for name in sorted(name for name in state if name.startswith(("network.", "preprocess."))):
        digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
