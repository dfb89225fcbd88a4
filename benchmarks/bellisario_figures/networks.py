"""The trained networks and the intersections that the figures compare."""

import argparse
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate

from benchmarks.doors import train
from spi_lightning.data import PatternInput
from spi_lightning.methods import Healed, SupportCheckpoint, SupportMethod, TripleIntersection


def trained(options: argparse.Namespace, experiment: str, configured: Path | None, *overrides: str) -> Path:
    """A run that was named, else the one in the folder of runs, trained if it is not there."""
    folder = (configured or Path(options.runs) / experiment).resolve()
    if configured is None:
        train(folder, f"experiment={experiment}", f"data.cache_dir={Path(options.cache).resolve()}", *overrides)
    return folder


def network_of(name: str, run: Path) -> SupportCheckpoint:
    """The support network of a run folder."""
    return SupportCheckpoint(name=name, checkpoint=run, instantiate=instantiate, device="cpu")


def network(options: argparse.Namespace, name: str = "network", fill: bool = True) -> SupportCheckpoint:
    """The support network at the threshold of its validation; whether it sees holes filled, or as zeros."""
    found = network_of(name, trained(options, "bellisario_support", options.run))
    cast(PatternInput, found.task.preprocess).fill = fill
    return found


def measured_network(options: argparse.Namespace, name: str = "network trained on measured") -> SupportCheckpoint:
    """The support network that was trained on noisy, incomplete patterns."""
    return network_of(name, trained(options, "bellisario_measured", options.measured))


def triple(name: str = "triple intersection", **settings: Any) -> TripleIntersection:
    """The triple intersection as conf/method/triple_intersection.yaml has it, but for these settings."""
    return TripleIntersection(name=name, **{"threshold": 3e-5, "noise": 4.0, "device": "cpu", **settings})


def healed(options: argparse.Namespace, then: SupportMethod, name: str) -> Healed:
    """A method that sees patterns after the healing network."""
    run = trained(options, "bellisario_healing", options.healing)
    return Healed(name=name, healing=run, then=then, instantiate=instantiate, device="cpu")
