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
_VERSION: Final = "spi_lightning weights 1"
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
    metadata = {"version": _VERSION, "config": json.dumps(config), "sha256": _hash_of(tensors)}
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
    if metadata.get("sha256") != _hash_of(tensors):
        raise UserError(f"{path}: the weights file is damaged, its tensors have another sha256 than was stored")
    try:
        config = json.loads(metadata["config"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: the weights file is damaged, its configuration cannot be read") from error
    weights = {name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()}
    return {"state_dict": weights, "config": config}


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    large = name.startswith("network.") and value.dtype == torch.float32 and value.numel() >= _MANY
    return value.half() if half and large else value.clone()


def _hash_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
