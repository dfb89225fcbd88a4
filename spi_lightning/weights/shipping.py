"""From checkpoints of runs to weights that the package brings: one network or an ensemble, its file and its card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import yaml

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.tasks import read_checkpoint
from spi_lightning.tasks.weights_file import write_weights

from .card import ModelCard, hash_of_file

_ENSEMBLE = "spi_lightning.networks.Ensemble"
_NETWORK = "network."
_KEPT: Final = ("name", "objective", "seed", "task", "network", "preprocess", "simulate", "data")
"""Parts of a run's configuration that its answers depend on; the others name folders and machines."""


def ensemble_of(checkpoints: Sequence[str | Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and weights of a task whose network is that of a run, or the ensemble of those of several runs.

    Calibration and domain, which belong to one member, are those of the first until the ensemble is validated.

    Args:
        checkpoints: Run folders or checkpoints of one configuration that differ in their seeds.

    Returns:
        The configuration of the first run, its network the ensemble, and the weights by their names in the task.

    Raises:
        UserError: A checkpoint cannot be read, or the networks are built differently.
    """
    read = [read_checkpoint(path) for path in checkpoints]
    config = dict(read[0]["config"])
    members = [each["config"]["task"]["network"] for each in read]
    for path, member in zip(checkpoints, members, strict=True):
        if member != members[0]:
            raise UserError(f"{path}: its network is built in another way than that of {checkpoints[0]}")
    if len(read) == 1:
        return config, dict(read[0]["state_dict"])
    config["task"] = {**config["task"], "network": {"_target_": _ENSEMBLE, "members": members}}
    weights = {key: value for key, value in read[0]["state_dict"].items() if not key.startswith(_NETWORK)}
    for number, each in enumerate(read):
        own = {k.removeprefix(_NETWORK): v for k, v in each["state_dict"].items() if k.startswith(_NETWORK)}
        weights |= {f"{_NETWORK}members.{number}.{name}": value for name, value in own.items()}
    return config, weights


def ship(card: ModelCard, weights: Mapping[str, Any], config: Mapping[str, Any], half: bool = False) -> ModelCard:
    """Write the weights and the card of a network into the package; the card with the hash of the file.

    Args:
        card: Card without the hash.
        weights: Tensors by their names in the task.
        config: Configuration from which the task is rebuilt.
        half: Whether large tensors are stored as float16.
    """
    kept = {name: config[name] for name in _KEPT if name in config}
    if "data" in kept:  # but for its folder
        kept["data"] = {name: value for name, value in kept["data"].items() if name != "cache_dir"}
    write_weights(card.path, weights, kept, half)
    card = replace(card, sha256=hash_of_file(card.path))
    write_card(card)
    return card


def write_card(card: ModelCard) -> None:
    """Write a card beside its weights by an atomic write."""
    plain = {name: value for name, value in asdict(card).items() if name != "name"}
    with atomic_write(card.path.with_suffix(".yaml")) as temporary:
        temporary.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
