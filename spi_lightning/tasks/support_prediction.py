"""Task of support prediction: density or support of a particle from its pattern."""

from typing import cast

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, KNOWN_SUPPORT, MASK, STRUCTURE, SUPPORT, Batch
from spi_lightning.metrics import PatternMean, SupportMetrics, SupportThreshold
from spi_lightning.networks.projected_unet import project, within
from spi_lightning.physics.fourier import fourier, with_phase_noise
from spi_lightning.physics.support import ideal_support
from spi_lightning.physics.twin import twin

from .optimisation import Interval, MakeOptimizer, MakeSchedule
from .trained_task import PatternTask, PictureLoss, true_density

BLUR, NOISE = 3.0, 0.3  # largest standard deviations: pixel, and relative to the density
PHASE_NOISE = torch.pi  # largest standard deviation, rad


def half_hidden(density: Tensor, share: float) -> Tensor:
    """Starts of a share of a batch: the truth mixed with its twin, blurred and with multiplicative noise; else 0.

    Half of the starts have Gaussian errors of their Fourier phases too, up to random phases, so that the network is
    trained on what phasing finds from any start, and breaks the tie between twins either way.

    Args:
        density: (B, 1, H, W) true densities.
        share: Share of the patterns that get a start, 0 to 1.

    Returns:
        (B, 1, H, W) >= 0. The truth has a weight of 1/2 to 1 beside its twin, nearer to 1/2; blur, noise and
        phase errors are uniform up to BLUR, NOISE and PHASE_NOISE, from torch's default generator.
    """
    count, device = len(density), density.device
    weight = 0.5 + 0.5 * torch.rand(count, 1, 1, 1, device=device) ** 1.5
    start = blurred(
        weight * density + (1 - weight) * twin(density, 2), BLUR * torch.rand(count, 1, 1, 1, device=device)
    )
    grain = blurred(torch.randn_like(density), torch.full((count, 1, 1, 1), 2.0, device=device))
    grain = grain / grain.std(dim=(-2, -1), keepdim=True)
    start = (start * (1 + NOISE * torch.rand(count, 1, 1, 1, device=device) * grain)).clamp(min=0)
    radian = PHASE_NOISE * torch.rand(count, 1, 1, 1, device=device)
    radian = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.5, radian, 0)
    seed = int(torch.randint(2**31, ()))
    start = with_phase_noise(start[:, 0], 2, radian, 1, seed).clamp(min=0)
    started = torch.arange(count, device=device) >= round(count * (1 - share))
    return start * started[:, None, None, None]


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Convolve with Gaussians, periodic: (B, 1, H, W) with sigma (B, 1, 1, 1), pixel."""
    height, width = image.shape[-2:]
    squared = torch.fft.fftfreq(height, device=image.device)[:, None].square()
    squared = squared + torch.fft.rfftfreq(width, device=image.device).square()
    window = torch.exp(-2 * torch.pi**2 * sigma.square() * squared)
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * window, s=(height, width))
    return smooth


TARGETS = ("support", "density")
TWINS = ("canonical", "either")
CANDIDATES = ("best", "every")
SPARED = 0.05  # weight of the mean over candidates beside the best one, so that all have a gradient


class SupportPrediction(PatternTask):
    """Prediction of a density or support. Reads intensity, mask, density (B, 1, H, W) and structure (B,) from a batch.

    The score of a pixel is the sigmoid of its logit, or the density relative to its maximum; the support is where it
    exceeds the threshold. Without a fixed threshold, every validation finds the one at which ``coverage`` of its
    patterns have fewer than two false negatives at the least area, evaluates at it, and stores it with the weights in
    the checkpoint.

    Args:
        network: Map from patterns to logits or densities (B, candidates, H, W).
        preprocess: Map from a batch to the network input, see data.PatternInput.
        loss: Function of output and target, (..., H, W) each -> (...).
        metrics: Metrics, cloned for validation and test.
        optimizer, schedule, interval: Optimisation, as in TrainedTask.
        target: Target of the loss, the true ``support`` or ``density``.
        logits: Whether the outputs are logits, else densities.
        threshold: Threshold of the score; None: found by each validation. The paper has 0.1, of densities.
        coverage: Share of the validation patterns with fewer than two false negatives.
        twin: ``canonical``: targets are the canonical twin (physics.twin). ``either``: the loss of the twin
            nearer to the prediction, since a pattern does not determine the twin.
        candidates: Outputs that enter the loss, ``best`` (alternative outputs) or ``every`` (rounds of one).
        half_hidden: Share of the training patterns whose network starts from the half-hidden truth, see
            half_hidden; only for networks that take a start (ProjectedUNet).
        samples: Number of samples in test and prediction, for networks that can sample (ProjectedUNet); confined to a
            known_support (B, 1, H, W) of the batch, if any.

    The prediction is the candidate whose Fourier amplitudes fit the measured ones best.

    Source: Bellisario & Ekeberg (2024), Sect. 2; twins, candidates and calibration are not in the paper.
    """

    threshold: Tensor
    displayed = (
        "covered",
        "false_negatives",
        "false_positives",
        "area_ratio",
        "iou",
        "worst_structure",
        "centrosymmetry",
        "true_centrosymmetry",
        "asymmetry",
        "true_asymmetry",
        "correlation",
        "twin_gap",
        "true_twin_gap",
        "phase_agreement",
    )

    def __init__(
        self,
        network: nn.Module,
        preprocess: nn.Module,
        loss: PictureLoss,
        metrics: SupportMetrics,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        target: str = "support",
        logits: bool = True,
        threshold: float | None = None,
        coverage: float = 0.97,
        twin: str = "canonical",
        candidates: str = "best",
        half_hidden: float = 0.0,
        samples: int = 1,
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, preprocess, loss, optimizer, schedule, interval)
        chosen = (("target", target, TARGETS), ("twin", twin, TWINS), ("candidates", candidates, CANDIDATES))
        for option, value, choices in chosen:
            if value not in choices:
                raise UserError(f"task.{option}={value} is unknown: choose one of {', '.join(choices)}")
        if half_hidden and not getattr(network, "takes_start", False):
            raise UserError(
                f"task.half_hidden={half_hidden}: this network takes no start; set 0, or network=projected_unet"
            )
        if samples != 1 and not (samples > 1 and hasattr(network, "sample")):
            raise UserError(f"task.samples={samples}: set 1, or more with network=projected_unet")
        self.target, self.logits, self.twin = target, logits, twin
        self.candidates, self.half_hidden, self.samples = candidates, half_hidden, samples
        self.calibrate = threshold is None
        self.register_buffer("threshold", torch.tensor(0.1 if threshold is None else threshold))
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("val", "test")})
        self.fitted_threshold = SupportThreshold(coverage, metrics.fraction, metrics.allowed)
        self.unscored: list[tuple[Tensor, Tensor, Tensor]] = []  # until the threshold of this validation is known

    def losses_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each pattern, of its best candidate and, with twin=either, its nearer twin: (B,)."""
        density = true_density(batch)
        target = ideal_support(density, self._metrics("val").fraction).float() if self.target == "support" else density
        losses = self.loss(output, target.expand_as(output))
        if self.twin == "either":
            losses = torch.minimum(losses, self.loss(output, twin(target, 2).expand_as(output)))
        if self.candidates == "every":
            return losses.mean(dim=1)
        return (1 - SPARED) * losses.amin(dim=1) + SPARED * losses.mean(dim=1)

    def training_output(self, batch: Batch) -> Tensor:
        """Output of the network (B, C, H, W), which may start from half-hidden truths."""
        if not self.half_hidden:
            return cast(Tensor, self(batch))
        start = half_hidden(true_density(batch), self.half_hidden)
        return cast(Tensor, self.network(self.preprocess(batch), start))

    def answer(self, batch: Batch) -> Tensor:
        """Output of the network, (B, candidates, H, W), or samples if ``samples`` is above 1."""
        known = batch.get(KNOWN_SUPPORT)
        if hasattr(self.network, "sample") and (self.samples > 1 or known is not None):
            return cast(Tensor, self.network.sample(self.preprocess(batch), self.samples, support=known))  # type: ignore[operator]
        output = cast(Tensor, self(batch))
        return output if known is None or self.logits else within(output.clamp(min=0), known)

    def score_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Score in [0, 1] of the chosen candidate, (B, H, W)."""
        score = output.sigmoid() if self.logits else output.clamp(min=0)
        if self.logits:
            batch = {name: values for name, values in batch.items() if name != KNOWN_SUPPORT}
        score = best_candidate(score, batch)
        return score if self.logits else score / score.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Store the scores until the threshold is known."""
        output = self(batch)
        cast(PatternMean, self.losses["val"]).update(self.losses_of(output, batch))
        score, density = self.score_of(output, batch), true_density(batch)[:, 0]
        self.unscored.append((score, density, batch[STRUCTURE]))
        if self.calibrate:
            self.fitted_threshold.update(score, density)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the metrics, at the threshold of the checkpoint."""
        output = self.answer(batch)
        cast(PatternMean, self.losses["test"]).update(self.losses_of(output, batch))
        self._score("test", self.score_of(output, batch), true_density(batch)[:, 0], batch[STRUCTURE])

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Batch:
        """Predictions for each pattern: frame (B,); density (B, H, W), at most 1, or score of a support; support."""
        score = self.score_of(self.answer(batch), batch)
        return {FRAME: batch[FRAME], DENSITY: score, SUPPORT: score > self.threshold}

    def on_validation_epoch_start(self) -> None:
        """Discard scores of an interrupted validation."""
        self.unscored.clear()

    def on_validation_epoch_end(self) -> None:
        """Find the threshold, then log the metrics of this validation at it."""
        if self.calibrate:
            self.threshold.copy_(self.fitted_threshold.compute())
        self.fitted_threshold.reset()
        for score, density, structure in self.unscored:
            self._score("val", score, density, structure)
        self.unscored.clear()
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the test."""
        self._report("test")

    def _score(self, stage: str, score: Tensor, density: Tensor, structure: Tensor) -> None:
        self._metrics(stage).update(score > self.threshold, score, density, structure)

    def _report(self, stage: str) -> None:
        metrics = self._metrics(stage)
        self.report(stage, {**metrics.compute(), "threshold": self.threshold.clone()})
        metrics.reset()

    def _metrics(self, stage: str) -> SupportMetrics:
        return cast(SupportMetrics, self.metrics[stage])


def best_candidate(density: Tensor, batch: Batch) -> Tensor:
    """Candidate of least error of the scaled Fourier amplitudes: (B, K, H, W) -> (B, H, W).

    Twins and shifts of a density fit equally well, so this rejects wrong densities, not twins. With a known support it
    is the candidate of least power outside it after projection on the measured amplitudes.
    """
    if KNOWN_SUPPORT in batch:
        return _nearest_to_support(density, batch)
    if density.shape[1] == 1:
        return density[:, 0]
    measured = batch[INTENSITY].clamp(min=0).sqrt() * batch[MASK]
    amplitude = fourier(density, ndim=2).abs() * batch[MASK]
    product, power = (amplitude * measured).sum(dim=(-2, -1)), amplitude.square().sum(dim=(-2, -1))
    choice = (product / power.clamp(min=1e-12).sqrt()).argmax(dim=1)  # largest correlation: least error at best scale
    return density[torch.arange(len(density), device=density.device), choice]


def _nearest_to_support(density: Tensor, batch: Batch) -> Tensor:
    """Candidate (B, H, W) of least power outside a known support, or negative, with the measured amplitudes.

    The result is one step of error reduction: projected on the amplitudes, then confined to the support.
    """
    mask, support = batch[MASK], batch[KNOWN_SUPPORT]
    projected = project(density, batch[INTENSITY].clamp(min=0).sqrt() * mask, mask.to(density.dtype))
    inside = (projected * support).clamp(min=0)
    choice = (projected - inside).square().sum(dim=(-2, -1)).div(projected.square().sum(dim=(-2, -1))).argmin(dim=1)
    return inside[torch.arange(len(density), device=density.device), choice]
