"""Which parts of a training fit together: loss, network, metric, preprocessing and data of a task, simulators of data.

Parts are told by their ``_target_`` before any is built. A part of somebody else's fits anywhere.
"""

from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.tasks.trained_task import never_switches

from .resolved import CONF

_HITS: Final = {
    "loss": "binary_cross_entropy cross_entropy generalised_cross_entropy",
    "metric": "HitMetrics",
    "network": "ResNet10 TinyCNN logistic_head",
    "preprocess": "Preprocess",
    "data": "HitDataModule SimulatedHitDataModule",
}
_PICTURES: Final = {"preprocess": "PatternInput", "data": "SupportDataModule SimulatedSupportDataModule"}
FITS: Final[dict[str, dict[str, str]]] = {
    "HitClassification": _HITS,
    "TransferClassification": _HITS,
    "SupportPrediction": {
        **_PICTURES,
        "loss": "squared_error support_cross_entropy soft_support_penalty support_penalty",
        "metric": "SupportMetrics",
        "network": "SupportEncoderDecoder UNet ProjectedUNet",
    },
    "Healing": {**_PICTURES, "loss": "squared_error", "network": "HealingUNet"},
    "ComplexReconstruction": {
        "loss": "SupervisedLoss",
        "metric": "VolumeMetrics",
        "network": "ComplexEncoderDecoder",
        "data": "SimulatedVolumeDataModule VolumeDataModule",
    },
    "Refinement": {
        "network": "ComplexEncoderDecoder",
        "loss": "FourierLoss UnsupervisedLoss",
        "data": "SingleVolumeDataModule",
    },
}
"""Task -> group of conf/ -> parts that fit; a group that is not named is not used, or anything fits."""

SIMULATORS: Final = {
    "SimulatedHitDataModule": "HitSimulator LiteralHitSimulator",
    "SimulatedSupportDataModule": "MacromoleculeSimulator MacromoleculeDiffractionSimulator",
    "SimulatedVolumeDataModule": "VolumeSimulator",
}
_KEYS: Final = {"metric": "metrics"}  # of a group in the task, where it has another name there


def check_parts(cfg: DictConfig) -> None:
    """Raise UserError for the first part of a training that does not fit its task, with those that do."""
    task, data = _name(cfg.get("task")), _name(cfg.get("data"))
    for group, fitting in FITS.get(task, {}).items():
        part = cfg.get("data") if group == "data" else cfg.task.get(_KEYS.get(group, group))
        others = {name for parts in FITS.values() for name in parts.get(group, "").split()}
        _require(group, _name(part), fitting, others, f"task={_choice('task', task)}")
    if data in SIMULATORS:
        others = {name for names in SIMULATORS.values() for name in names.split()}
        _require("simulate", _name(cfg.get("simulate")), SIMULATORS[data], others, f"data={_choice('data', data)}")
    if task == "SupportPrediction":
        _check_logits(cfg.task)
    optimizer, schedule = cfg.task.get("optimizer"), cfg.task.get("schedule")
    ours = schedule is None or str(schedule.get("_target_")).startswith(("torch.", "spi_lightning."))
    members = optimizer.members if _name(optimizer) == "Alternating" else ()
    if len(members) > 1 and ours and _name(schedule) != "AlternateEvery":
        raise never_switches(len(members))


def _check_logits(task: DictConfig) -> None:
    """Logits or densities: the network, the loss and the task must mean the same."""
    logits, of_loss = task.get("logits", True), _name(task.loss) == "support_cross_entropy" or task.loss.get("logits")
    if of_loss is not None and bool(of_loss) != logits:
        raise UserError(
            f"loss={_choice('loss', _name(task.loss))} compares {'logits' if of_loss else 'densities'} and task.logits="
            f"{str(logits).lower()}: set task.logits={str(not logits).lower()}, or the loss (loss.logits) alike"
        )
    activation = task.network.get("activation", "none" if _name(task.network) != "ProjectedUNet" else "density")
    if logits and activation != "none":
        raise UserError("task.logits=true needs a network of logits: set network.activation=none, not projected_unet")


def _require(group: str, part: str, fitting: str, others: set[str], owner: str) -> None:
    if part in others and part not in fitting.split():
        choices = ", ".join(sorted({_choice(group, name) for name in fitting.split()}))
        raise UserError(f"{group}={_chosen(group, part)} does not fit {owner}: choose one of {choices}")


def _name(part: Any) -> str:
    """The last word of a part's _target_."""
    return str(part.get("_target_", "")).rpartition(".")[2] if isinstance(part, DictConfig) else ""


def _chosen(group: str, name: str) -> str:
    """What the command line has called a part that is of this run."""
    chosen = HydraConfig.get().runtime.choices.get(group) if HydraConfig.initialized() else None
    path = CONF / group / f"{chosen}.yaml"
    return str(chosen) if path.is_file() and _name(OmegaConf.load(path)) == name else _choice(group, name)


def _choice(group: str, name: str) -> str:
    """What the command line calls a part: the first file of its group that holds it; its own name without one."""
    for path in sorted((CONF / group).glob("*.yaml"), key=lambda path: (len(path.stem), path.stem)):
        own = OmegaConf.load(path)
        if isinstance(own, DictConfig) and _name(own) == name:
            return path.stem
    return name
