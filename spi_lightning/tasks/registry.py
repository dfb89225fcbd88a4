"""Registry of the classes and functions that a checkpoint may name, checked before anything is imported.

The author of a checkpoint may be unknown, so its configuration must be data: plain mappings, lists, numbers and words,
without interpolation, whose every ``_target_`` is in the list. What a checkpoint was trained
with besides (a network of another package) needs that package's name in ``trust``, on every command that opens it:
nothing that a checkpoint or a run folder holds counts as that word, and nothing is imported before it is given.
"""

import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

from spi_lightning.errors import UserError

_MOST_LEVELS: Final = 32  # of mappings and lists inside one another


def _names(**modules: str) -> frozenset[str]:
    """Full names from modules of this package, dots written as two underscores, and the words in each."""
    folders = {f"spi_lightning.{module.replace('__', '.')}": names.split() for module, names in modules.items()}
    return frozenset(f"{module}.{name}" for module, names in folders.items() for name in names)


def _torch(module: str, names: str) -> frozenset[str]:
    return frozenset(f"torch.optim.{module}{name}" for name in names.split())


TASK_PARTS: Final = (
    _names(
        tasks="ComplexReconstruction Healing HitClassification Refinement SupportPrediction",
        tasks__complex_reconstruction="ComplexReconstruction",
        tasks__healing="Healing",
        tasks__hit_classification="HitClassification",
        tasks__refining__refinement="Refinement",
        tasks__support_prediction="SupportPrediction",
        tasks__frozen__transfer_classification="TransferClassification logistic_head",
        networks="ComplexEncoderDecoder Ensemble HealingUNet ProjectedUNet ResNet10 SupportEncoderDecoder TinyCNN UNet",
        networks__complex_encoder_decoder="ComplexEncoderDecoder",
        networks__projected_unet="ProjectedUNet",
        networks__resnet10="ResNet10",
        networks__support_encoder_decoder="SupportEncoderDecoder",
        networks__tiny_cnn="TinyCNN",
        networks__unet="HealingUNet UNet",
        data="PatternInput Preprocess ScaleFree",
        data__pattern_input="PatternInput",
        data__scale__scale_free="ScaleFree",
        data__transforms="Preprocess",
        losses="DensityPrior FourierLoss SupervisedLoss UnsupervisedLoss binary_cross_entropy cross_entropy"
        " generalised_cross_entropy soft_support_penalty squared_error support_cross_entropy support_penalty",
        metrics="HitMetrics SupportMetrics VolumeMetrics",
        optimizers="Alternating adam",
        optimizers__penalised_lbfgs="PenalisedLBFGS",
        schedules="AlternateEvery ConstantWeight WeibullWeight rise_and_fall step_decay",
        phasing__polishing__wrapped="Wrapping",
        phasing__polishing__exact="Exact",
    )
    | _torch(
        "",
        "ASGD Adadelta Adagrad Adam AdamW Adamax LBFGS NAdam RAdam RMSprop Rprop SGD",
    )
    | _torch(
        "lr_scheduler.",
        "ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR ExponentialLR LinearLR MultiStepLR"
        " OneCycleLR PolynomialLR ReduceLROnPlateau StepLR",
    )
)
"""Parts of the task of a checkpoint, which is built for prediction, fine-tuning or refinement."""

RUN_PARTS: Final = (
    TASK_PARTS
    | _names(
        callbacks="LiveSlices Progress PruneTrial SaveOften RecalibrateBatchNorm ValidateAtEnd WriteReconstruction",
        data="HitDataModule SimulatedHitDataModule SimulatedSupportDataModule SimulatedVolumeDataModule"
        " StructureSource SupportDataModule VolumeDataModule Preparation",
        data__scans__preparation="Preparation",
        data__simulated__data_modules="SimulatedVolumeDataModule",
        data__scans__single_volume="SingleVolumeDataModule",
        data__volumes="VolumeDataModule",
        io="PatternKeys load_mask",
        io__masks__mask_file="load_mask",
        io__scans__bragg_scan="ScanKeys",
        io__structures__structure="StructureOptions",
        simulate="BackgroundRecipe BadPixels Brightness CanonicalGeometry CanonicalHitSimulator CountingRecipe"
        " DetectorRecipe Experiment GeometryRecipe HitSimulator LabelledFrames LikeFileSimulator LiteralHitSimulator"
        " Lumps MacromoleculeDiffractionSimulator MacromoleculeSimulator Measurement Mixture Optics ParticleRecipe"
        " Projection"
        " SceneRecipe Superellipsoid",
        simulate__particles__crystals="CrystalRecipe DislocationRecipe",
        simulate__particles__phase_field="PhaseRecipe",
        simulate__particles__superellipsoid="SuperellipsoidRecipe",
        simulate__volumes="VolumeNoise VolumeSimulator",
        tracking="WandbRun",
    )
    | frozenset(
        f"pytorch_lightning.{name}"
        for name in (
            "Trainer",
            "callbacks.DeviceStatsMonitor",
            "callbacks.EMAWeightAveraging",
            "callbacks.EarlyStopping",
            "callbacks.GradientAccumulationScheduler",
            "callbacks.LearningRateMonitor",
            "callbacks.ModelCheckpoint",
            "callbacks.ModelSummary",
            "callbacks.RichModelSummary",
            "callbacks.StochasticWeightAveraging",
            "callbacks.Timer",
            "callbacks.WeightAveraging",
            "loggers.CSVLogger",
            "loggers.MLFlowLogger",
            "loggers.TensorBoardLogger",
            "profilers.AdvancedProfiler",
            "profilers.PyTorchProfiler",
            "profilers.SimpleProfiler",
            "strategies.DDPStrategy",
        )
    )
)
"""Parts of a whole run, which is resumed."""

_trusted: set[str] = set()


def trust(packages: str | Iterable[str] | None) -> None:
    """Set the foreign packages whose classes checkpoints may name from now on; those set before are forgotten.

    Args:
        packages: Names of packages, of modules inside them, or full names of classes; all below a name is allowed.

    Raises:
        UserError: Something else than names of packages, or a part of Python itself, with which a checkpoint could do
            anything.
    """
    names = [packages] if isinstance(packages, str) else list(packages or [])
    for name in names:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"trust={name} is not the name of a package: give trust=[my_package]")
        if _of_python(name):
            raise UserError(f"trust={name} is a part of Python itself: name the package that defines the class")
    _trusted.clear()
    _trusted.update(names)


def registered(
    config: Any,
    where: str,
    parts: Collection[str] | None = TASK_PARTS,
    levels: int = _MOST_LEVELS,
) -> Any:
    """Copy a configuration into plain containers, or refuse it; nothing is imported.

    Args:
        config: Configuration of a checkpoint; tuples become lists, mappings of any class become dictionaries.
        where: Name of the file, for the error.
        parts: Names that a ``_target_`` may be, besides those of trusted packages; None: any, for what is only read.
        levels: Largest depth of mappings and lists inside one another.

    Raises:
        UserError: A name outside the registry, an interpolation, a value that is not a plain setting, or a
            ``filename`` that leads to another folder.
    """
    if levels == 0:
        raise UserError(f"{where}: refused, its configuration has more than {_MOST_LEVELS} levels")
    if isinstance(config, list | tuple):
        return [registered(value, where, parts, levels - 1) for value in config]
    if not isinstance(config, Mapping):
        return _plain(config, where)
    copy = {_plain(key, where): registered(value, where, parts, levels - 1) for key, value in config.items()}
    if "_target_" in copy and parts is not None:
        _require_name(copy["_target_"], where, parts)
    path = PurePath(str(copy.get("filename") or ""))
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{where}: refused, its configuration writes to filename={path}, outside of the run folder")
    return copy


def _plain(value: Any, where: str) -> Any:
    if type(value) is str and "${" in value:
        raise UserError(f"{where}: refused, its configuration holds the interpolation {value}; checkpoints hold values")
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value).__name__
    raise UserError(f"{where}: refused, its configuration holds {kind}, which is not a number, word, list or mapping")


def _require_name(target: Any, where: str, names: Collection[str]) -> None:
    if isinstance(target, str) and (target in names or any(f"{target}.".startswith(f"{each}.") for each in _trusted)):
        return
    package = target.partition(".")[0] if isinstance(target, str) else ""
    remedy = "no run of spi train names it"
    if package.isidentifier() and package != __name__.partition(".")[0] and not _of_python(package):
        remedy = f"if you trust its author to run code here, add trust={package}"
    raise UserError(
        f"{where}: refused, its configuration calls {target}, which is none of the parts that a checkpoint may name; "
        f"{remedy}"
    )


def _of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names
