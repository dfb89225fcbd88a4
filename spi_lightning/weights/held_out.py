"""Numbers of trained networks on patterns that they were not trained on, with bootstrap intervals."""

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spi_lightning.console import quiet_lightning
from spi_lightning.fields import FALSE_NEGATIVES
from spi_lightning.metrics import HitMetrics, PatternMean, SupportMetrics
from spi_lightning.metrics.hits.bootstrap import Estimate, bootstrap_intervals, interval_numbers, mean_intervals
from spi_lightning.metrics.hits.classification_curves import classification_statistic
from spi_lightning.metrics.supports.support_metrics import PER_PATTERN
from spi_lightning.tasks import ComplexReconstruction, Healing, HitClassification, SupportPrediction

_COVERED, _SUPPORT = "covered", ("false_negatives", "false_positives", "area_ratio", "iou")
_DENSITY: Final = ("correlation", "phase_agreement", "asymmetry", "true_asymmetry")
_HITS: Final = ("auroc", "accuracy", "recall", "false_positive_rate", "calibration_error")
_VOLUMES: Final = ("eq_6_either_twin", "eq_6", "amplitude_error", "phase_error", "chi_square", "correlation")
Numbers = dict[str, float | None]


def held_out_numbers(task: pl.LightningModule, data: pl.LightningDataModule, calibrate: bool = False) -> Numbers:
    """Numbers of a task on the test patterns of its data: ``auroc``, its interval ``auroc/low`` and ``auroc/high``.

    Args:
        task: Trained task; in evaluation mode afterwards.
        data: Data module with the test patterns.
        calibrate: Whether thresholds, temperature and domain are first fitted to the validation patterns.
    """
    with quiet_lightning():
        values = _Values()
        trainer = pl.Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[values],
        )
        if calibrate:
            trainer.validate(task, datamodule=data, verbose=False)
        trainer.test(task, datamodule=data, verbose=False)
    return {name.removeprefix("test/"): value for name, value in values.numbers.items()}


class _Values(pl.Callback):
    """Takes the numbers of each pattern at the end of a test, before the task makes means of them."""

    def __init__(self) -> None:
        self.numbers: Numbers = {}

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute means and intervals."""
        if isinstance(pl_module, HitClassification):
            self.numbers = _of_hits(cast(HitMetrics, pl_module.metrics["test"]))
        elif isinstance(pl_module, SupportPrediction):
            names = (*_SUPPORT, *(_DENSITY if pl_module.target == "density" else ()))
            self.numbers = _of_supports(cast(SupportMetrics, pl_module.metrics["test"]), names)
        elif isinstance(pl_module, Healing):
            self.numbers = _of_means(pl_module.errors, pl_module.displayed)
        elif isinstance(pl_module, ComplexReconstruction):
            self.numbers = _of_means(pl_module.metrics["test"], _VOLUMES)
        else:
            raise TypeError(f"{type(pl_module).__name__} has no numbers of single patterns")


def _of_hits(metrics: HitMetrics) -> Numbers:
    label, probability = _joined(metrics.is_single_hit).astype(np.int64), _joined(metrics.probability)
    decision = (probability >= metrics.threshold).astype(np.int64)
    found = bootstrap_intervals(classification_statistic(probability, label, decision), label)
    singles = int(label.sum())
    shares = {"accuracy": len(label), "recall": singles, "false_positive_rate": len(label) - singles}
    return interval_numbers({name: found[name] for name in _HITS}, shares)


def _of_supports(metrics: SupportMetrics, names: tuple[str, ...]) -> Numbers:
    """Whole structures are drawn for the intervals, of which there are fewer than patterns."""
    columns = dict(zip(PER_PATTERN, torch.cat(metrics.value).double().numpy().T, strict=True))
    structures, group = np.unique(_joined(metrics.structure), return_inverse=True)
    values = {_COVERED: (columns[FALSE_NEGATIVES] < metrics.allowed).astype(np.float64)}
    values |= {name: columns[name] for name in names}
    return interval_numbers(mean_intervals(values, group), {_COVERED: len(structures)})


def _of_means(means: Any, names: tuple[str, ...]) -> Numbers:
    """Numbers that patterns lack, such as the error in gaps of one without, are left out pattern by pattern."""
    found: dict[str, Estimate] = {}
    for name in names:
        values = _joined(cast(PatternMean, _part(means, name)).value)
        if len(values):
            found |= mean_intervals({name: values}, np.arange(len(values)))
    return interval_numbers(found, {})


def _part(means: Mapping[str, Any] | nn.Module, name: str) -> Any:
    return means[name] if isinstance(means, nn.ModuleDict) else getattr(means, name)


def _joined(values: list[Tensor]) -> NDArray[np.float64]:
    return torch.cat(values).double().cpu().numpy()
