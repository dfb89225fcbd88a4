"""Reading of checkpoints: a task and its settings from one file, without executing code from it."""

import pickle
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write

from .checkpoint_files import find_checkpoint
from .hit_classification import HitClassification
from .registry import registered
from .weights_file import SUFFIX, read_weights

TaskT = TypeVar("TaskT", bound=pl.LightningModule)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint as tensors and plain containers.

    Its configuration is None, or plain containers whose task was checked against the registry. The rest of it describes
    the run and is not built.

    Raises:
        UserError: The file is missing, truncated, not a checkpoint, or would run code when loaded or built, or its
            weights are NaN or infinite.
    """
    path = find_checkpoint(path)
    checkpoint = read_weights(path) if path.suffix == SUFFIX else _unpickled(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"{path}: not a checkpoint of a task (no state_dict inside)")
    _require_numbers(checkpoint["state_dict"], path)
    config = checkpoint.get("config")
    if config is not None:
        whole = registered(config, str(path), parts=None)
        task = whole.get("task") if isinstance(whole, dict) else None
        config = {**whole, "task": registered(task, str(path))} if task else None
    return {**checkpoint, "config": config}


def _unpickled(path: Path) -> Any:
    """What torch.save wrote, tensors and plain containers alone; UserError of anything else."""
    require_whole(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused, it carries pickled code instead of plain weights") from error
    except Exception as error:  # any error of the reader on damaged bytes
        raise UserError(f"{path}: the checkpoint is damaged or cut short") from error


def _require_numbers(weights: dict[str, Any], path: Path) -> None:
    """Refuse weights that are NaN or infinite, of a diverged training; UserError."""
    tensors = {name: value for name, value in weights.items() if isinstance(value, torch.Tensor)}
    for name, value in tensors.items():
        if value.layout is not torch.strided or value.is_quantized or value.is_meta:
            raise UserError(f"{path}: its weights {name} are sparse, quantised or absent; numbers are needed")
    broken = {name: int((~torch.isfinite(value)).sum()) for name, value in tensors.items()}
    if count := sum(broken.values()):
        first = next(name for name, wrong in broken.items() if wrong)
        total = sum(value.numel() for value in tensors.values())
        raise UserError(
            f"{path}: {count} of {total} weights are NaN or infinite, in {first} first: its training diverged; "
            "train again with a smaller optimizer.lr"
        )


def require_whole(path: Path) -> None:
    """Refuse a checkpoint that was cut short, or in which a bit has changed since it was written; UserError.

    torch.save stores a checksum (CRC-32) beside every tensor, which torch.load does not check.
    """
    with path.open("rb") as file:
        begun = file.read(2) in (b"PK", b"")
    if not begun:
        raise UserError(f"{path}: not a checkpoint")
    try:
        with zipfile.ZipFile(path) as archive:  # the end of a zip file is written last
            wrong = archive.testzip()
    except Exception as error:  # any error of the reader on damaged bytes
        raise UserError(f"{path}: the checkpoint is damaged or cut short") from error
    if wrong is not None:
        raise UserError(f"{path}: the checkpoint is damaged, its part {wrong} has another checksum than was stored")


def load_task(
    path: str | Path,
    instantiate: Callable[..., Any],
    task: type[TaskT] = HitClassification,  # type: ignore[assignment]  # of mypy: no default of a type variable
) -> tuple[TaskT, dict[str, Any]]:
    """Rebuild the task of a checkpoint with its weights, in evaluation mode.

    Args:
        path: Checkpoint file or run folder.
        instantiate: hydra.utils.instantiate, an argument because only apps import Hydra.
        task: Expected class of the task.

    Returns:
        The task, and the whole resolved configuration of its run.

    Raises:
        UserError: As read_checkpoint, or the configuration is missing or cannot be built, the task is of another class,
            or the weights do not match.
    """
    checkpoint = read_checkpoint(path)
    config = checkpoint.get("config")
    if config is None or not isinstance(config["task"], dict):
        raise UserError(f"{path}: the checkpoint has no configuration of its task; it was not written by spi train")
    try:
        built = instantiate(config["task"])
    except Exception as error:  # any error of parts on settings that do not fit
        if isinstance(error, UserError):
            raise
        reason = (str(error.__cause__ or error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: its task cannot be built from its configuration ({reason})") from error
    if not isinstance(built, task):
        own = " (refined on one pattern, it serves no other)" if hasattr(built, "starts_from") else ""
        raise UserError(f"{path}: a checkpoint of {type(built).__name__}{own}, where {task.__name__} is needed")
    load_weights(built, checkpoint["state_dict"], f"{path}: its weights do not fit its network")
    return built.eval(), config


def read_start(path: str, target: str, begins_with: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of the task in a checkpoint, and its weights, from which a new training starts.

    Args:
        path: Checkpoint or run folder.
        target: Full name of the task that is to be trained.
        begins_with: Full names of the tasks whose weights it may start from.

    Raises:
        UserError: Besides those of read_checkpoint, a checkpoint of another task.
    """
    found = find_checkpoint(path)
    checkpoint = read_checkpoint(found)
    stored = (checkpoint["config"] or {}).get("task")
    stored = stored if isinstance(stored, dict) else {}
    if stored.get("_target_") not in begins_with:
        raise UserError(
            f"checkpoint={found}: a checkpoint of {stored.get('_target_')}; {target} starts from one of "
            f"{' or '.join(begins_with)} (resume=RUN goes on with a run)"
        )
    return stored, checkpoint["state_dict"]


def member_of(settings: dict[str, Any], weights: dict[str, Any], number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and weights of a task whose network is one member of an ensemble; unchanged where it is none.

    Args:
        settings: Settings of a task, whose ``network`` may have ``members``.
        weights: Its weights by their names.
        number: Number of the member, from 0.

    Raises:
        UserError: The ensemble has no such member.
    """
    network = settings.get("network")
    members = network.get("members") if isinstance(network, dict) else None
    if not members:
        return settings, weights
    if not 0 <= number < len(members):
        raise UserError(f"member={number}: the ensemble has networks 0 to {len(members) - 1}")
    chosen, every = f"network.members.{number}.", "network.members."
    own = {f"network.{name.removeprefix(chosen)}": value for name, value in weights.items() if name.startswith(chosen)}
    rest = {name: value for name, value in weights.items() if not name.startswith(every)}
    return {**settings, "network": members[number]}, {**rest, **own}


def shift_answers(path: Path, shift: float) -> None:
    """Take a number off the logits of a hit classifier with one class, in the biases of its heads, in a checkpoint.

    Args:
        path: Checkpoint file, which is replaced.
        shift: Logit that becomes 0, the probability of one half.
    """
    checkpoint = _unpickled(path)
    for name, value in checkpoint["state_dict"].items():
        if ".head" in name and name.endswith("bias") and value.numel() == 1:
            value -= shift
    with atomic_write(path) as part:
        torch.save(checkpoint, part)


def load_weights(module: nn.Module, weights: dict[str, Any], mistake: str) -> None:
    """Load weights into a module; UserError with ``mistake`` and the first difference if they do not match."""
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UserError(f"{mistake} ({lines[min(1, len(lines) - 1)].rstrip('. ')})") from error
