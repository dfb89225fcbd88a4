"""Parts that fit together in a training: loss, network, metric, preprocessing and data of a task, simulators of data.

Parts are known by the last word of their ``_target_`` before any is built. A foreign part fits anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from spi_lightning.settings import setting

from .optimisation import never_switches

Settings = Mapping[str, Any]
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
        "data": "SingleVolumeDataModule SinglePatternDataModule",
    },
}
"""Task -> group of settings -> parts that fit; a group that is not named is not used, or anything fits."""

SIMULATORS: Final = {
    "SimulatedHitDataModule": "HitSimulator LiteralHitSimulator",
    "SimulatedSupportDataModule": "MacromoleculeSimulator MacromoleculeDiffractionSimulator",
    "SimulatedVolumeDataModule": "VolumeSimulator",
}
"""Data of simulated sets -> simulators that fit."""

_KEYS: Final = {"metric": "metrics"}  # of a group in the task, where it has another name there


@dataclass(frozen=True)
class Misfit:
    """A part that does not fit its owner.

    Attributes:
        group: Group of settings of the part, such as ``loss``.
        part: Name of the part.
        owner: Group and name of the task or data that it does not fit.
        fitting: Names of the parts that do.
    """

    group: str
    part: str
    owner: tuple[str, str]
    fitting: tuple[str, ...]


def misfit_of(config: Settings) -> Misfit | None:
    """The first part of a training that does not fit its task or data; None where all fit.

    Args:
        config: Settings of a training; only those of its parts are looked at, so that others need not resolve.

    Raises:
        UserError: Several optimisers under a schedule that never switches between them.
    """
    task, settings = name_of(config.get("task")), config.get("task") or {}
    data = name_of(config.get("data"))
    wanted = [(group, ("task", task), names) for group, names in FITS.get(task, {}).items()]
    if data in SIMULATORS:
        wanted.append(("simulate", ("data", data), SIMULATORS[data]))
    for group, owner, names in wanted:
        part = name_of(config.get(group) if group in ("data", "simulate") else settings.get(_KEYS.get(group, group)))
        rows = SIMULATORS.values() if group == "simulate" else [fits.get(group, "") for fits in FITS.values()]
        known = {name for row in rows for name in row.split()}
        if part in known and part not in names.split():
            return Misfit(group, part, owner, tuple(names.split()))
    _require_switching(settings)
    return None


def other_scale(task: Settings) -> str | None:
    """Setting of SupportPrediction that means logits where the task means densities, or the other way; None: alike."""
    if name_of(task) != "SupportPrediction":
        return None
    logits, loss, network = setting(task, "logits"), task.get("loss") or {}, task.get("network") or {}
    of_loss = name_of(loss) == "support_cross_entropy" or setting(loss, "logits")
    if of_loss is not None and bool(of_loss) != logits:
        return "loss"
    activation = setting(network, "activation") or ("density" if name_of(network) == "ProjectedUNet" else "none")
    return "network" if logits and activation != "none" else None


def name_of(part: Any) -> str:
    """The last word of a part's ``_target_``; empty for anything else."""
    return str(part.get("_target_", "")).rpartition(".")[2] if isinstance(part, Mapping) else ""


def _require_switching(task: Settings) -> None:
    optimizer, schedule = task.get("optimizer") or {}, task.get("schedule")
    ours = schedule is None or str(schedule.get("_target_")).startswith(("torch.", "spi_lightning."))
    members = optimizer.get("members") or () if name_of(optimizer) == "Alternating" else ()
    if len(members) > 1 and ours and name_of(schedule) != "AlternateEvery":
        raise never_switches(len(members))
