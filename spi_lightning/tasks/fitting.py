"""Parts that fit together in a training: loss, network, metric, preprocessing and data of a task, simulators of data.

Parts are known by the last word of their ``_target_`` before any is built. A foreign part fits anywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from spi_lightning.errors import UserError
from spi_lightning.settings import setting

from .optimisation import never_switches

Settings = Mapping[str, Any]
_HITS: Final = {
    "loss": "binary_cross_entropy cross_entropy generalised_cross_entropy",
    "metric": "HitMetrics",
    "network": "ResNet10 TinyCNN logistic_head",
    "preprocess": "Preprocess ScaleFree",
    "data": "HitDataModule SimulatedHitDataModule",
}
_PICTURES: Final = {"preprocess": "PatternInput", "data": "SupportDataModule SimulatedSupportDataModule"}
FITS: Final[dict[str, dict[str, str]]] = {
    "HitClassification": _HITS,
    "TransferClassification": {**_HITS, "network": "logistic_head", "preprocess": "Preprocess"},
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
"""Task -> group of settings -> parts that fit; a group that is not named is not used, or anything fits."""

SIMULATORS: Final = {
    "SimulatedHitDataModule": "HitSimulator LiteralHitSimulator",
    "SimulatedSupportDataModule": "MacromoleculeSimulator MacromoleculeDiffractionSimulator",
    "SimulatedVolumeDataModule": "VolumeSimulator",
}
"""Data of simulated sets -> simulators that fit."""

_SINGLE: Final = {"data": "measure_frame measure_scan"}  # one pattern, of which no task is trained
_OUTPUTS: Final = {"support_cross_entropy": True, "ProjectedUNet": False}  # parts that are of logits, or of densities
_CHANNELS: Final = {
    "HealingUNet": (2, "amplitude_and_mask"),
    "ProjectedUNet": (3, "autocorrelation_and_amplitude"),
    "logistic_head": (2, "counts_and_mask"),
}
"""Network of a fixed number of input channels -> that number, and the preprocessing that makes them."""
_CLASSES: Final = ("binary_cross_entropy", "cross_entropy")  # losses of one class, and of several
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


def require_fit(config: Settings, choice_of: Callable[[str, str], str] = lambda group, name: name) -> None:
    """Raise UserError for the first part of a training that does not fit its task or data, with the remedy.

    Args:
        config: Settings of a training; only those of its parts are looked at, so that others need not resolve.
        choice_of: Name on the command line of a part, from the names of its group and of its function or class.
    """
    if (found := misfit_of(config)) is not None:
        choices = ", ".join(sorted({choice_of(found.group, name) for name in found.fitting}))
        raise UserError(
            f"{found.group}={choice_of(found.group, found.part)} does not fit {found.owner[0]}="
            f"{choice_of(*found.owner)}: choose one of {choices}"
        )
    if (disagreement := disagreement_of(config["task"])) is not None:
        group, other, remedy = disagreement
        part = choice_of(group, name_of(config["task"][group]))
        raise UserError(f"{group}={part} does not agree with {other}: set {remedy}")


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
        rows = (
            SIMULATORS.values() if group == "simulate" else [fits.get(group, "") for fits in (*FITS.values(), _SINGLE)]
        )
        known = {name for row in rows for name in row.split()}
        if part in known and part not in names.split():
            return Misfit(group, part, owner, tuple(names.split()))
    _require_switching(settings)
    return None


def disagreement_of(task: Settings) -> tuple[str, str, str] | None:
    """Group whose part disagrees with another setting, that setting, and the remedy; None where all agree.

    Outputs are logits or densities, of one or several classes, and inputs have channels. In conf/ the outputs of loss
    and network follow the task's by interpolation, so that parts of one kind of output and explicit settings differ.
    """
    loss, network = (task.get(group) or {} for group in ("loss", "network"))
    logits, classes = setting(task, "logits"), setting(task, "classes")
    if isinstance(logits, bool):
        for group, part in (("loss", loss), ("network", network)):
            of_part = _OUTPUTS.get(name_of(part), setting(part, "logits"))
            if of_part is not None and bool(of_part) != logits and not (logits and _is_linear(part)):
                other = str(not logits).lower()
                return group, f"task.logits={str(logits).lower()}", f"task.logits={other}, or another {group}"
    if isinstance(classes, int):
        if name_of(loss) in _CLASSES and (name_of(loss) == "cross_entropy") != (classes > 1):
            fitting = _CLASSES[classes > 1]
            return "loss", f"task.classes={classes}", f"loss={fitting}"
        if setting(network, "classes") not in (None, classes):
            return "network", f"task.classes={classes}", f"network.classes={classes}"
    return _channels(network, task.get("preprocess") or {})


def _channels(network: Settings, preprocess: Settings) -> tuple[str, str, str] | None:
    """Disagreement of a network on the channels that are made for it."""
    kinds, mask = setting(preprocess, "kinds"), setting(preprocess, "mask_channel")
    takes, fitting = _CHANNELS.get(name_of(network), (setting(network, "in_channels"), ""))
    if name_of(preprocess) not in ("Preprocess", "PatternInput", "ScaleFree") or not isinstance(takes, int):
        return None
    made = int(bool(mask)) + (1 if kinds is None else len(kinds))
    if made == takes:
        return None
    remedy = f"preprocess={fitting}" if fitting else f"network.in_channels={made}"
    return "network", f"the channels of preprocess ({made} of {takes})", remedy


def _is_linear(network: Settings) -> bool:
    """Whether a network leaves the activation of its output out, whose outputs may be either."""
    return str(setting(network, "activation")) == "none"


def name_of(part: Any) -> str:
    """The last word of a part's ``_target_``; empty for anything else."""
    return str(part.get("_target_", "")).rpartition(".")[2] if isinstance(part, Mapping) else ""


def _require_switching(task: Settings) -> None:
    optimizer, schedule = task.get("optimizer") or {}, task.get("schedule")
    ours = schedule is None or str(schedule.get("_target_")).startswith(("torch.", "spi_lightning."))
    members = optimizer.get("members") or () if name_of(optimizer) == "Alternating" else ()
    if len(members) > 1 and ours and name_of(schedule) != "AlternateEvery":
        raise never_switches(len(members))
