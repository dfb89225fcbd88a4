"""Model cards: what a file of weights answers, how it was made, its numbers with intervals, and its limits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

import yaml

from spi_lightning.errors import UserError
from spi_lightning.locations import WEIGHTS
from spi_lightning.settings import misfit_of
from spi_lightning.tasks.checkpoint_files import shipped_names
from spi_lightning.tasks.weights_file import SUFFIX


@dataclass(frozen=True)
class Result:
    """A measured number of a network on data that it was not trained on.

    Attributes:
        data: Data it was measured on, with the number of patterns.
        measure: Name of the number as metrics.json has it, such as ``auroc``.
        value: The number itself.
        interval: Lower and upper end of its 95 % interval; None where none was computed.
        command: Command that prints it.
    """

    data: str
    measure: str
    value: float
    interval: Sequence[float] | None
    command: str


@dataclass(frozen=True)
class ModelCard:
    """Card of one file of weights.

    Attributes:
        name: Name under which the weights are taken, ``method=NAME``, ``load("NAME")``.
        summary: Sentence on what the network answers.
        input: Patterns that it takes, and how they are prepared.
        network: Architecture, with the number of its weights.
        data: What it was trained on.
        commands: Commands that make it again, in order.
        commit: Commit of the repository that made it.
        objective: What best checkpoint and threshold were chosen by, on validation patterns.
        threshold: Probability, score or share of the maximum from which the network decides; None where it does not.
        results: Numbers on held-back data.
        domain: Limits within which the numbers were measured, one sentence each.
        failures: Cases known to go wrong, one sentence each.
        licence: Licence of the weights.
        sha256: SHA-256 of the file, hexadecimal.
    """

    name: str
    summary: str
    input: str
    network: str
    data: str
    commands: Sequence[str]
    commit: str
    objective: str
    threshold: float | None
    results: Sequence[Result]
    domain: Sequence[str]
    failures: Sequence[str]
    licence: str
    sha256: str

    @property
    def path(self) -> Path:
        """File of the weights."""
        return WEIGHTS / f"{self.name}{SUFFIX}"

    def require_whole(self) -> None:
        """UserError where the file is not the one that the card describes."""
        if self.sha256 != (found := hash_of_file(self.path)):
            raise UserError(
                f"{self.path}: sha256 {found[:12]}…, and its card says {self.sha256[:12]}…; install the package again"
            )


def read_card(name: str) -> ModelCard:
    """Card of weights that the package brings.

    Raises:
        UserError: There are no such weights, or their card is incomplete.
    """
    path = WEIGHTS / f"{name}.yaml"
    if name not in shipped_names() or not path.is_file():
        raise UserError(f"weights {name} do not come with the package; there are {', '.join(shipped_names())}")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    results = [Result(**_checked(Result, result, path)) for result in values.get("results", ())]
    return ModelCard(**{**_checked(ModelCard, {**values, "name": name}, path), "results": results})


def hash_of_file(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


_NESTED: Final = {"results"}


def _checked(kind: type, values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Values of the fields of a dataclass; UserError for one that is missing, unknown or of another type."""
    annotated = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if wrong := sorted(set(names) ^ set(values)):
        raise UserError(f"{path}: {wrong[0]} is {'missing' if wrong[0] in names else 'unknown'} in the model card")
    for name in names:
        if name not in _NESTED and (misfit := misfit_of(values[name], annotated[name])) is not None:
            raise UserError(f"{path}: {name}{misfit}")
    return {name: values[name] for name in names}
