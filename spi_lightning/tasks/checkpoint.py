"""A task and its settings from one checkpoint file, without running any code that the file may carry."""

import importlib
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning as pl
import torch

from spi_lightning.fields import UserError
from spi_lightning.tasks.hit_classification import HitClassification

ALLOWED = ("spi_lightning.", "torch.nn.", "torch.optim.", "torchmetrics.")
# Of this package only the rooms a task is made of: nothing there writes a file or starts a process.
ROOMS = (
    "tasks",
    "data.transforms",
    "data.pattern_input",
    "metrics",
    "networks",
    "losses",
    "optimizers",
    "schedules",
    "phasing.wrapped_polish",
    "phasing.exact_polish",
)
BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"


def find_checkpoint(path: str | Path) -> Path:
    """The file meant by a path: itself, or the best (else the last) checkpoint of a run folder.

    Raises:
        UserError: There is none.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in (BEST, LAST) if (path / name).is_file()]
        if not found:
            raise UserError(f"checkpoint={path}: the folder holds neither {BEST} nor {LAST}.")
        return found[0]
    if not path.is_file():
        raise UserError(f"checkpoint={path}: no such file or run folder.")
    return path


def run_of(path: str | Path) -> Path:
    """The run folder that a path means: the folder itself, or the one whose checkpoints hold the file."""
    path = Path(path)
    return path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint as tensors and plain containers.

    Raises:
        UserError: The file is missing, cut short, no checkpoint, or would run code when loaded.
    """
    path = find_checkpoint(path)
    if not zipfile.is_zipfile(path):  # the end of a zip file is written last
        with path.open("rb") as file:
            begun = file.read(2) in (b"PK", b"")
        raise UserError(f"{path}: {'the checkpoint is damaged or cut short' if begun else 'not a checkpoint'}.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused, it carries pickled code instead of plain weights.") from error
    except Exception as error:  # whatever damaged bytes make the reader stumble over
        raise UserError(f"{path}: the checkpoint is damaged or cut short.") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UserError(f"{path}: not a checkpoint of a task (no state_dict inside).")
    return checkpoint


def load_task(
    path: str | Path, instantiate: Callable[..., Any], task: type[pl.LightningModule] | None = None
) -> tuple[pl.LightningModule, dict[str, Any]]:
    """Rebuild the task of a checkpoint, weights loaded and in evaluation mode.

    Args:
        path: Checkpoint or run folder.
        instantiate: hydra.utils.instantiate, handed down because only apps know Hydra.
        task: Class the caller can work with; HitClassification if None.

    Returns:
        The task, and the whole resolved configuration of its run.

    Raises:
        UserError: Besides those of read_checkpoint: no configuration inside, a configuration that would call anything
            but this package, torch.nn, torch.optim or torchmetrics, another task, or weights that do not fit it.
    """
    checkpoint, expected = read_checkpoint(path), task or HitClassification
    config = checkpoint.get("config")
    if not isinstance(config, dict) or "task" not in config:
        raise UserError(f"{path}: the checkpoint has no configuration of its task; it was not written by train.py.")
    require_harmless(config["task"], str(path))
    built = instantiate(config["task"])
    if not isinstance(built, expected):
        own = " (refined on one pattern, it answers no other)" if hasattr(built, "starts_from") else ""
        raise UserError(f"{path}: a checkpoint of {type(built).__name__}{own}, where {expected.__name__} is needed.")
    try:
        built.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise UserError(f"{path}: its weights do not fit its network; was the file changed by hand?") from error
    return built.eval(), config


def require_harmless(config: Any, where: str) -> None:
    """Raise UserError if a configuration would call anything but the parts a task is made of.

    The name must begin with one of ALLOWED, and what it leads to must be defined there: torch.nn.modules.os.system is
    not.
    """
    for target in targets(config):
        if not _is_part_of_a_task(str(target)):
            raise UserError(f"{where}: refused, its configuration calls {target}; allowed are {', '.join(ALLOWED)}*")


def _is_part_of_a_task(target: str) -> bool:
    if not target.startswith(ALLOWED):
        return False
    found: Any = None
    for depth, name in enumerate(target.split("."), start=1):
        # an attribute before a module of the same name: losses.cross_entropy is the function, as for Hydra
        found = getattr(found, name, None) or find_module(".".join(target.split(".")[:depth]))
        if found is None:
            return False
    home = f"{getattr(found, '__module__', '')}."
    if home.startswith("spi_lightning."):
        return home.startswith(tuple(f"spi_lightning.{room}." for room in ROOMS))
    return home.startswith(ALLOWED)


def find_module(name: str) -> ModuleType | None:
    """Import a module; None if there is none of that name."""
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError):
        return None


def targets(config: Any) -> Iterator[Any]:
    """Every ``_target_`` anywhere inside a configuration."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield config["_target_"]
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from targets(part)
