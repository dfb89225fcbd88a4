"""Is this pattern a single hit?"""

from collections.abc import Callable
from typing import cast

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn

from spi_lightning.data.transforms import AUGMENTATIONS, Preprocess, views
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    CLASS_PROBABILITY,
    DISTANCE_FROM_TRAINING,
    FEATURES,
    FRAME,
    IS_SINGLE_HIT,
    KIND,
    LOGITS,
    PROBABILITY,
    SCORE,
    Batch,
    Kind,
)
from spi_lightning.metrics import Descriptions, Domain, HitMetrics, PatternMean, Temperature, describe_patterns

from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import TrainedTask

Loss = Callable[[Tensor, Tensor], Tensor]


class HitClassification(TrainedTask):
    """Tells single hits from the rest. Reads photons and mask (B, 1, H, W), is_single_hit and kind (B,) from a batch.

    With one class the network gives one logit per pattern and learns is_single_hit. With five it learns Kind's first
    five, and the probability of a single hit is that of class 0; a contaminant counts as the fifth, "bad".

    Every validation fits a temperature to its patterns, and what these patterns look like; both are part of the
    weights, so each checkpoint carries its own.

    Args:
        network: preprocessed photons -> logits (B,) or (B, 5), with ``features`` and ``head``.
        preprocess: batch -> what the network sees.
        loss: (logits, target) -> (B,).
        metrics: Cloned for validation and test.
        optimizer, schedule, interval: See TrainedTask.
        classes: 1 or 5.
        views: In test and prediction, average the logits over the pattern and its mirror images: ``none``, ``flips`` or
            ``dihedral`` (turned by quarters too), which the physics does not tell apart. Features stay those of the
            pattern itself.
    """

    temperature: Tensor
    shown = ("accuracy", "auroc", "average_precision", "false_positive_rate", "fpr_at_90_recall", "kind_accuracy")

    def __init__(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        loss: Loss,
        metrics: HitMetrics,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        classes: int = 1,
        views: str = "none",
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, optimizer, schedule, interval)
        if classes not in (1, 5):
            raise UserError(f"task.classes={classes}: choose 1 (single hit or not) or 5 (kinds of hits).")
        if views not in AUGMENTATIONS:
            raise UserError(f"task.views={views} is unknown: choose one of {', '.join(AUGMENTATIONS)}.")
        self.preprocess, self.loss, self.classes, self.views = preprocess, loss, classes, views
        self.register_buffer("temperature", torch.tensor(1.0))
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("val", "test")})
        self.fitted_temperature = Temperature()
        self.domain, self.descriptions = Domain(), Descriptions()

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B,) or (B, 5) of a batch."""
        return cast(Tensor, self.network(self.preprocess(batch)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self.loss(self(batch), self.target(batch)), batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect answers; also those the temperature is fitted to."""
        logits = self._evaluate(batch, "val")
        self.fitted_temperature.update(logits, self.target(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect answers."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Batch:
        """Answers about each pattern of a batch: see answers_to."""
        return self.answers_to(self.preprocess(batch), batch[FRAME])

    def answers_to(self, pattern: Tensor, frame: Tensor) -> Batch:
        """Answers about patterns that are preprocessed already, (B, C, h, w), frame (B,).

        Returns:
            frame (B,); logits (B,) or (B, 5); score (B,), P(single hit) as the network gives it; probability (B,), the
            same after temperature scaling; features (B, d), the penultimate values; with five classes also
            class_probability (B, 5); and, once a validation has been seen, distance_from_training (B,), see Domain.
        """
        features, logits = self._features_and_logits(pattern, self.views)
        answer = {
            FRAME: frame,
            LOGITS: logits,
            SCORE: self.single_probability(logits),
            PROBABILITY: self.single_probability(logits / self.temperature),
            FEATURES: features,
        }
        if self.classes == 5:
            answer[CLASS_PROBABILITY] = (logits / self.temperature).softmax(dim=1)
        if self.domain.known:
            answer[DISTANCE_FROM_TRAINING] = self.domain(describe_patterns(features, pattern))
        return answer

    def _features_and_logits(self, pattern: Tensor, seen: str) -> tuple[Tensor, Tensor]:
        """Penultimate values (B, d) of a preprocessed pattern, and its logits averaged over the views of it."""
        features = [self.network.features(view) for view in views(pattern, seen)]  # type: ignore[operator]
        return features[0], torch.stack([self._logits(each) for each in features]).mean(dim=0)

    def _logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network.head(features)  # type: ignore[operator]
        return logits.squeeze(-1) if self.classes == 1 else logits

    def target(self, batch: Batch) -> Tensor:
        """What the loss compares with, (B,) int64: is_single_hit or kind; -1 where unknown."""
        return batch[IS_SINGLE_HIT] if self.classes == 1 else batch[KIND].clamp(max=Kind.MANY)

    def single_probability(self, logits: Tensor) -> Tensor:
        """P(single hit), (B,), from logits (B,) or (B, 5)."""
        return logits.sigmoid() if self.classes == 1 else logits.softmax(dim=1)[:, Kind.SINGLE]

    def on_fit_start(self) -> None:
        """Check that the labels say what the loss needs; give the standardisation its mean and deviation.

        A checkpoint has brought the latter with it.
        """
        super().on_fit_start()
        self._require_labels()
        if not self.preprocess.needs_fit:
            return
        if self.trainer.is_global_zero:
            self.preprocess.fit(self.trainer.datamodule.statistics_batches())  # type: ignore[attr-defined]
        statistics = [self.preprocess.mean, self.preprocess.deviation, self.preprocess.fitted]
        statistics = self.trainer.strategy.broadcast([value.cpu() for value in statistics])
        self.preprocess.load_state_dict(dict(zip(("mean", "deviation", "fitted"), statistics, strict=True)))

    def on_validation_epoch_end(self) -> None:
        """Log validation metrics and fit the temperature."""
        self.temperature.copy_(self.fitted_temperature.compute())
        self.fitted_temperature.reset()
        self.domain.fit(self.descriptions.compute())
        self.descriptions.reset()
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Log test metrics."""
        self._report("test")

    def _evaluate(self, batch: Batch, stage: str) -> Tensor:
        """Add a batch to the metrics of a stage; validation uses scores, test calibrated probabilities."""
        pattern = self.preprocess(batch)
        features, logits = self._features_and_logits(pattern, self.views if stage == "test" else "none")
        target = self.target(batch)
        if stage == "val":
            self.descriptions.update(describe_patterns(features, pattern))
        known = target >= 0
        cast(PatternMean, self.losses[stage]).update(self.loss(logits[known], target[known]))
        scaled = logits / self.temperature if stage == "test" else logits
        kinds = (logits.argmax(dim=1), target) if self.classes == 5 else ()
        cast(HitMetrics, self.metrics[stage]).update(self.single_probability(scaled), batch[IS_SINGLE_HIT], *kinds)
        return logits

    def _report(self, stage: str) -> None:
        """Log the numbers of a stage; keep its tables (confusions) in ``results``."""
        metrics = cast(HitMetrics, self.metrics[stage])
        numbers = metrics.compute()
        if metrics.missing and not self.trainer.sanity_checking:
            rank_zero_warn(f"{stage}: the labels leave {', '.join(metrics.missing)} undefined; left out.")
        metrics.reset()
        self.report(stage, numbers)

    def _require_labels(self) -> None:
        """Raise UserError if a training pattern lacks the label that is learnt, or all have the same."""
        name = IS_SINGLE_HIT if self.classes == 1 else KIND
        labels = self.trainer.datamodule.training_labels(name)  # type: ignore[attr-defined]
        unknown = 0 if labels is None else int((labels < 0).sum())
        if unknown:
            raise UserError(
                f"task.classes={self.classes} learns {name}, which {unknown} of {len(labels)} training patterns lack;"
                f" {'set task.classes=1' if name == KIND else 'give data.keys.label'}."
            )
        if labels is not None and len(labels) > 1 and bool((labels == labels[0]).all()):
            path = getattr(self.trainer.datamodule, "path", None)  # type: ignore[attr-defined]
            raise UserError(
                f"all {len(labels)} labels ({name}) are {int(labels[0])} in the training split"
                f"{f' of {path}' if path else ''}: there is nothing to tell apart; name the right labels with "
                "data.keys.label=, or add frames of another label."
            )
