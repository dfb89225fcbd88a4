"""Weights files: the tensors of a task and its configuration in one safetensors file, checked when read.

The file holds no code and needs no class of this package to be opened: ``safetensors.torch.load_file`` gives its
tensors, and its metadata are text, the configuration as JSON.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write

SUFFIX: Final = ".safetensors"
_VERSION: Final = "spi_lightning weights 2"
_MANY: Final = 1024  # numbers of a tensor from which half precision saves anything


def write_weights(path: Path, weights: Mapping[str, Tensor], config: Mapping[str, Any], half: bool = False) -> None:
    """Write the weights of a task with its configuration.

    Args:
        path: File to write, NAME.safetensors.
        weights: Tensors by their names in the task, its ``state_dict()``.
        config: Resolved configuration of the run, plain containers, from which the task is rebuilt.
        half: Whether the network's large tensors are stored as float16; they are read as float32.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {name: _stored(name, value, half) for name, value in weights.items()}
    text = json.dumps(config)
    metadata = {"version": _VERSION, "config": text, "sha256": _hash_of(tensors, text)}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors, metadata))


def read_weights(path: Path) -> dict[str, Any]:
    """Weights file as a checkpoint: ``state_dict`` in float32 where it is stored in halves, and ``config``.

    Raises:
        UserError: The file is damaged, cut short, of another version, or of another program.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: the weights file is damaged or cut short; install the package again") from error
    if metadata.get("version") != _VERSION:
        found = metadata.get("version", "no version of spi_lightning")
        raise UserError(f"{path}: its metadata say {found}, and {_VERSION} is read; use weights of this version")
    if metadata.get("sha256") != _hash_of(tensors, metadata.get("config", "")):
        raise UserError(f"{path}: the weights file is damaged, its content has another sha256 than was stored")
    return {"state_dict": as_read(tensors), "config": json.loads(metadata["config"])}


def as_read(weights: Mapping[str, Tensor], half: bool = False) -> dict[str, Tensor]:
    """Weights as a file gives them back: float16 as float32; with ``half`` after its large tensors were halved."""
    stored = {name: _stored(name, value, half) for name, value in weights.items()} if half else weights
    return {name: value.float() if value.dtype == torch.float16 else value for name, value in stored.items()}


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    large = name.startswith("network.") and value.dtype == torch.float32 and value.numel() >= _MANY
    return value.half() if half and large else value.clone()


def _hash_of(tensors: Mapping[str, Tensor], config: str) -> str:
    """SHA-256 over a configuration and the names, dtypes, shapes and bytes of tensors, in the order of their names."""
    digest = hashlib.sha256(f"{config}\n".encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
