"""Task of hit classification: single hits against all other patterns."""

from collections.abc import Callable
from typing import cast

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn

from spi_lightning.data.hits import HitDataModule, HitDataset, log_notes
from spi_lightning.data.scale.crop_centre import follow_beam
from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.data.transforms import AUGMENTATIONS, HitInput, Preprocess, views
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
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.metrics import Descriptions, Domain, HitMetrics, PatternMean, Temperature, describe_patterns
from spi_lightning.notes import Note

from .foreign_part import errors_of, require_logits
from .informative_width import take_informative_width
from .input_size import require_input
from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import TrainedTask

Loss = Callable[[Tensor, Tensor], Tensor]


class HitClassification(TrainedTask):
    """Classification of single hits. Reads photons and mask (B, 1, H, W), is_single_hit and kind (B,) from a batch.

    With one class the network has one logit per pattern and is trained on is_single_hit. With five it is trained on the
    first five of fields.Kind, and the probability of a single hit is that of class 0; contaminants count as the fifth,
    "bad".

    Every validation fits a temperature and a Domain to its patterns; both are stored with the weights in each
    checkpoint.

    Args:
        network: Map from preprocessed photons to logits (B,) or (B, 5), with ``features`` and ``head``.
        preprocess: Map from a batch to the input of the network.
        loss: Function of logits and target -> (B,).
        metrics: Metrics, cloned for validation and test.
        optimizer, schedule, interval: Optimisation, as in TrainedTask.
        classes: Number of classes, 1 or 5.
        views: Average of the logits, in test and prediction, over the pattern and equivalent images: ``none``,
            ``flips`` or ``dihedral`` (rotations by 90 degrees too). Features stay those of the pattern itself.
    """

    temperature: Tensor
    displayed: tuple[str, ...] = (
        "accuracy",
        "auroc",
        "average_precision",
        "false_positive_rate",
        "fpr_at_90_recall",
        "kind_accuracy",
    )

    def __init__(
        self,
        network: nn.Module,
        preprocess: HitInput,
        loss: Loss,
        metrics: HitMetrics,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        classes: int = 1,
        views: str = "none",
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, optimizer, schedule, interval)
        if absent := [half for half in ("features", "head") if not callable(getattr(network, half, None))]:
            raise UserError(
                f"network: {type(network).__name__} has no {' and no '.join(absent)}; a hit classifier is "
                "head(features(pattern)), features (B, d) of the penultimate layer and its last layer"
            )
        if classes not in (1, 5):
            raise UserError(f"task.classes={classes}: choose 1 (single hit or not) or 5 (kinds of hits)")
        if views not in AUGMENTATIONS:
            raise UserError(f"task.views={views} is unknown: choose one of {', '.join(AUGMENTATIONS)}")
        self.preprocess, self.loss, self.classes, self.views = preprocess, loss, classes, views
        self.register_buffer("temperature", torch.tensor(1.0))
        self.displayed = (*type(self).displayed, *metrics.extra)
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("val", "test")})
        self.fitted_temperature = Temperature()
        self.domain, self.descriptions = Domain(), Descriptions()

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B,) or (B, 5) of a batch."""
        pattern = self.preprocess(batch)
        with errors_of("network", self.network, pattern):
            logits = self.network(pattern)
        return require_logits(self.network, logits, pattern.shape[0], self.classes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self._losses(self(batch), self.target(batch)), batch_idx)

    def _losses(self, logits: Tensor, target: Tensor) -> Tensor:
        with errors_of("loss", self.loss, logits, target):
            return self.loss(logits, target)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the predictions of a batch, to which the temperature is fitted too."""
        logits = self._evaluate(batch, "val")
        self.fitted_temperature.update(logits, self.target(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the predictions of a batch."""
        self._evaluate(batch, "test")

    def fit_to(self, patterns: PatternFile, hit_threshold: float = 5.0) -> list[Note]:
        """Set a scale-free preprocessing to a file; notes on it. A trained network may choose the width of a speckle.

        Args:
            patterns: The file.
            hit_threshold: Standard deviations above background from which a frame is a hit.
        """
        if not isinstance(self.preprocess, ScaleFree):
            return []
        notes = self.preprocess.fit_to(patterns, hit_threshold, self.device)
        if not self.domain.known:
            return notes
        training = self.training
        with torch.inference_mode():
            changed = take_informative_width(self.preprocess, patterns, self._probability, self.device)
        self.train(training)
        return [*changed, *notes[1:]] if changed else notes

    def _probability(self, batch: Batch) -> Tensor:
        """Calibrated probability of a single hit, (B,), as in an evaluation."""
        return self.eval().predict_step(batch)[PROBABILITY]

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Batch:
        """Predictions for each pattern of a batch, see answers_to."""
        return self.answers_to(self.preprocess(batch), batch[FRAME])

    def answers_to(self, pattern: Tensor, frame: Tensor) -> Batch:
        """Predictions for preprocessed patterns (B, C, h, w) with frame (B,).

        Returns:
            frame (B,); logits (B,) or (B, 5); score (B,), uncalibrated P(single hit); probability (B,), after
            temperature scaling; features (B, d) of the penultimate layer; with five classes class_probability (B, 5);
            after a validation distance_from_training (B,), see Domain.
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

    def _features_and_logits(self, pattern: Tensor, augment: str) -> tuple[Tensor, Tensor]:
        """Features (B, d) of preprocessed patterns, and their logits averaged over equivalent images."""
        with errors_of("network", self.network, pattern):
            features = [self.network.features(view) for view in views(pattern, augment)]  # type: ignore[operator]
        return features[0], torch.stack([self._logits(each) for each in features]).mean(dim=0)

    def _logits(self, features: Tensor) -> Tensor:
        with errors_of("network", self.network, features):
            logits: Tensor = self.network.head(features)  # type: ignore[operator]
        squeezed = logits.squeeze(-1) if self.classes == 1 else logits
        return require_logits(self.network, squeezed, features.shape[0], self.classes)

    def target(self, batch: Batch) -> Tensor:
        """Target of the loss, (B,) int64: is_single_hit or kind; -1 where unknown."""
        return batch[IS_SINGLE_HIT] if self.classes == 1 else batch[KIND].clamp(max=Kind.MANY)

    def single_probability(self, logits: Tensor) -> Tensor:
        """Probability of a single hit, (B,), from logits (B,) or (B, 5)."""
        return logits.sigmoid() if self.classes == 1 else logits.softmax(dim=1)[:, Kind.SINGLE]

    def on_fit_start(self) -> None:
        """Check labels and size of the patterns, and fit the standardisation, unless a checkpoint holds it."""
        super().on_fit_start()
        self._require_labels()
        patterns = self.trainer.datamodule.splits.get("train")  # type: ignore[attr-defined]
        if isinstance(patterns, HitDataset):
            self._fit_scale(patterns)
            require_input(self.network, self.preprocess, patterns, self.device)
        if not isinstance(self.preprocess, Preprocess) or not self.preprocess.needs_fit:
            return
        if self.trainer.is_global_zero:
            self.preprocess.fit(self.trainer.datamodule.statistics_batches())  # type: ignore[attr-defined]
        statistics = [self.preprocess.mean, self.preprocess.deviation, self.preprocess.fitted]
        statistics = self.trainer.strategy.broadcast([value.cpu() for value in statistics])
        self.preprocess.load_state_dict(dict(zip(("mean", "deviation", "fitted"), statistics, strict=True)))

    def _fit_scale(self, patterns: HitDataset) -> None:
        """Find scale or beam of a measured file for a preprocessing; simulated patterns have theirs in the middle."""
        measured = isinstance(self.trainer.datamodule, HitDataModule)  # type: ignore[attr-defined]
        if isinstance(self.preprocess, ScaleFree) and measured:
            log_notes(self.fit_to(patterns.file))
        elif isinstance(self.preprocess, Preprocess) and measured:
            log_notes(follow_beam(self.preprocess, patterns.file, self.preprocess.beam_centre, device=self.device))
        elif isinstance(self.preprocess, Preprocess) and self.preprocess.beam_centre is not None:
            self.preprocess.beam_centre = None  # of measured frames; the checkpoint's config keeps it
            text = "simulated patterns are cropped around their own beam; preprocess.beam_centre is for the evaluation"
            log_notes([Note.of(text)])

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
        cast(PatternMean, self.losses[stage]).update(self._losses(logits[known], target[known]))
        scaled = logits / self.temperature if stage == "test" else logits
        kinds = (logits.argmax(dim=1), target) if self.classes == 5 else ()
        cast(HitMetrics, self.metrics[stage]).update(self.single_probability(scaled), batch[IS_SINGLE_HIT], *kinds)
        return logits

    def _report(self, stage: str) -> None:
        """Log the numbers of a stage; keep its tables (confusions) in ``results``."""
        metrics = cast(HitMetrics, self.metrics[stage])
        numbers = metrics.compute()
        if metrics.missing and not self.trainer.sanity_checking:
            rank_zero_warn(f"{stage}: the labels leave {', '.join(metrics.missing)} undefined; left out")
        metrics.reset()
        self.report(stage, numbers)

    def _require_labels(self) -> None:
        """Refuse training patterns without the label of the task, or with one label only; UserError."""
        name = IS_SINGLE_HIT if self.classes == 1 else KIND
        labels = self.trainer.datamodule.training_labels(name)  # type: ignore[attr-defined]
        unknown = 0 if labels is None else int((labels < 0).sum())
        if unknown:
            raise UserError(
                f"task.classes={self.classes} learns {name}, which {unknown} of {len(labels)} training patterns lack;"
                f" {'set task.classes=1' if name == KIND else 'give data.keys.label'}"
            )
        if labels is not None and len(labels) > 1 and bool((labels == labels[0]).all()):
            path = getattr(self.trainer.datamodule, "path", None)  # type: ignore[attr-defined]
            raise UserError(
                f"all {len(labels)} labels ({name}) are {int(labels[0])} in the training split"
                f"{f' of {path}' if path else ''}: there is nothing to tell apart; name the right labels with "
                "data.keys.label=, or add frames of another label"
            )
