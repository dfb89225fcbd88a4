"""YAML of conf/ against the signatures of what it names: a default stands in one place, and every key is taken."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from spi_lightning.settings import parameters
from tests.apps.small_runs import CONF

FILES = sorted(CONF.rglob("*.yaml"))
LISTED: Final = {
    "PatternKeys": "photons label mask particle_id index positive",
    "ScanKeys": "counts angle monitor whitefield dark bad_pixels",
    "Preparation": "size bin threshold parasitic_peaks",
    "HitDataModule": "adu_per_photon batch_size augment",
    "SupportDataModule": "adu_per_photon",
    "measure_frame": "adu_per_photon frame crop bin threshold",
    "measure_merged": "detector crop",
    "SingleVolumeDataModule": "size bin",
    "SimulatedHitDataModule": "online batch_size augment",
    "SimulatedVolumeDataModule": "online",
    "HitClassification": "classes views",
    "HitSimulator": "blanks",
    "TransferClassification": "classes",
    "SupportPrediction": "logits",
    "adam": "lr",
    "Alternating": "lr",
}
"""Settings that a user is meant to see in conf/ though they repeat a default, of what is named by ``_target_``."""
OF_THE_COMMAND: Final = {"RefinedNetwork": "experiment overrides"}
"""Settings beside a ``_target_`` that the command takes for itself."""


def parts(node: Any) -> Iterator[DictConfig]:
    """Every mapping with a _target_; interpolations are not followed."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        for key in node:
            if not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
                yield from parts(node[key])
    elif isinstance(node, ListConfig):
        for position in range(len(node)):
            if not OmegaConf.is_interpolation(node, position):
                yield from parts(node[position])


def leaves(part: DictConfig) -> Iterator[tuple[str, Any]]:
    """Settings of a part that are not parts, and stand there as they are."""
    for key in map(str, part):
        if key.startswith("_") or OmegaConf.is_interpolation(part, key) or OmegaConf.is_missing(part, key):
            continue
        if not isinstance(value := part[key], DictConfig):
            yield key, OmegaConf.to_container(value) if isinstance(value, ListConfig) else value


def name_of(part: DictConfig) -> str:
    return str(part._target_).rpartition(".")[2]


def default_of(part: DictConfig, key: str) -> Any:
    """The default as YAML would give it; ... without one."""
    known = (parameters(str(part._target_)) or {}).get(key)
    return ... if known is None or known.default is known.empty else _listed(known.default)


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value


def repeated() -> set[tuple[str, str]]:
    """Name and setting of every leaf that repeats the default of its signature."""
    found = set()
    for path in FILES:
        for part in parts(OmegaConf.load(path)):
            if str(part._target_).startswith("spi_lightning."):
                found |= {(name_of(part), key) for key, value in leaves(part) if default_of(part, key) == value}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_target_resolves_and_takes_every_key(path: Path) -> None:
    for part in parts(OmegaConf.load(path)):
        assert callable(get_object(str(part._target_)))
        if (takes := parameters(str(part._target_))) is not None:
            of_command = OF_THE_COMMAND.get(name_of(part), "").split()
            unknown = (
                {str(key) for key in part if not str(key).startswith("_")}
                - {"defaults"}
                - takes.keys()
                - set(of_command)
            )
            assert not unknown, part._target_


def test_a_default_stands_in_the_signature_alone_unless_a_user_should_see_it() -> None:
    listed = {(name, key) for name, keys in LISTED.items() for key in keys.split()}
    assert sorted(repeated() - listed) == [], "leave out of the YAML what repeats a default, or list it in LISTED"
    assert sorted(listed - repeated()) == [], "LISTED names what no YAML repeats"


def test_what_every_yaml_says_alike_is_a_default() -> None:
    message: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in FILES:
        for part in parts(OmegaConf.load(path)):
            if str(part._target_).startswith("spi_lightning."):
                message[name_of(part)].append({k: v for k, v in leaves(part) if default_of(part, k) not in (..., v)})
    for name, uses in message.items():
        for key, value in uses[0].items():
            assert len(uses) == 1 or any(use.get(key) != value for use in uses[1:]), (name, key, value)
