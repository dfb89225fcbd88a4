"""Trained networks from their run folders: load once, predict on arrays or files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from spi_lightning.data.supports import SupportDataset
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, FRAME, INTENSITY, IS_SINGLE_HIT, MASK, PHASE
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.methods import CheckpointMethod, SupportCheckpoint
from spi_lightning.methods.resized import size_refused
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart
from spi_lightning.results.support_answer import SupportAnswer, SupportPart
from spi_lightning.summary import Summarised
from spi_lightning.tasks import (
    ComplexReconstruction,
    Healing,
    HitClassification,
    SupportPrediction,
    find_checkpoint,
    load_task,
)
from spi_lightning.tasks.checkpoint import run_name
from spi_lightning.tasks.registry import trust

from .patterns import Patterns, as_patterns, replaced


@dataclass(frozen=True, repr=False)
class Trained(Summarised):
    """A trained network, rebuilt from its checkpoint and kept on the device.

    Attributes:
        checkpoint: File of the weights.
        device: Device of the computation.
        batch_size: Number of patterns computed together.

    Examples:
        >>> from spi_lightning import load
        >>> network = load("runs/small")
        >>> network
        Trained
          run      runs/small
          task     HitClassification
          network  ResNet10
          weights  ...
        >>> network.answer("hits.cxi").features.shape
        (24, 8)
    """

    checkpoint: Path
    device: str = "auto"
    batch_size: int = 64

    @cached_property
    def _loaded(self) -> tuple[nn.Module, Mapping[str, Any]]:
        task, config = load_task(self.checkpoint, instantiate, pl.LightningModule)
        if not isinstance(task, HitClassification | SupportPrediction | ComplexReconstruction | Healing):
            raise UserError(
                f"{self.checkpoint}: a checkpoint of {type(task).__name__}, which predicts no other pattern"
            )
        return task.eval(), config

    @property
    def task(self) -> nn.Module:
        """Task of the checkpoint; ``task.network`` is the network."""
        return self._loaded[0]

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the training run, plain containers."""
        return self._loaded[1]

    def predict(self, patterns: Patterns, mask: ArrayLike | Tensor | None = None) -> NDArray[Any]:
        """Answer of the network to patterns.

        Args:
            patterns: Open file, path, or photons of NumPy or torch: (N, y, x) or (y, x); of a 3D network (N, z, y, x)
                or (z, y, x), origin at n // 2.
            mask: Bool, of the patterns' shape or of one pattern, True where measured; None: the file's, or all finite.

        Returns:
            Of a hit classifier, (N,) float32 calibrated probabilities of a single hit; of a support network,
            (N, y, x) bool supports; of a healing network, (N, y, x) float32 intensities; of a 3D network,
            (N, z, y, x) complex64 densities.

        Raises:
            UserError: Patterns of a shape that the network does not take, or a file that cannot be read.

        Examples:
            >>> from spi_lightning import load, open_patterns
            >>> photons = open_patterns("hits.cxi").read([0, 1, 2])
            >>> load("runs/small").predict(photons).shape
            (3,)
        """
        if isinstance(self.task, HitClassification):
            return self.answer(patterns, mask).probability
        if isinstance(self.task, SupportPrediction):
            return self._supports(as_patterns(patterns, mask)).support
        if isinstance(self.task, Healing):
            return self._healed(as_patterns(patterns, mask))
        return self._densities(patterns, mask)

    def answer(self, patterns: Patterns, mask: ArrayLike | Tensor | None = None) -> HitAnswer:
        """Everything a hit classifier answers, (N,) probabilities, (N, d) features, (N,) distances from training.

        Raises:
            UserError: As predict; or the network is of another task.
        """
        if not isinstance(self.task, HitClassification):
            raise UserError(f"{self.checkpoint}: its task is {type(self.task).__name__}; use predict")
        method = CheckpointMethod(self.name, self.checkpoint, instantiate, self.batch_size, self.device)
        opened = as_patterns(patterns, mask)
        unlabelled = replaced(opened, labels={key: v for key, v in opened.labels.items() if key != IS_SINGLE_HIT})
        return method.answer(HitPart("", None, unlabelled), Listener())

    @property
    def name(self) -> str:
        """Short name of the run."""
        return run_name(self.checkpoint)

    def facts(self) -> Mapping[str, object]:
        """Run, task, network and number of its weights."""
        network = cast(nn.Module, self.task.network)
        weights = sum(each.numel() for each in network.parameters())
        return {
            "run": self.name,
            "task": type(self.task).__name__,
            "network": type(network).__name__,
            "weights": f"{weights:,}",
        }

    def _supports(self, patterns: Any) -> SupportAnswer:
        method = SupportCheckpoint(
            name=self.name,
            checkpoint=self.checkpoint,
            instantiate=instantiate,
            device=self.device,
            batch_size=self.batch_size,
        )
        return method.answer(SupportPart(content_key(patterns), np.arange(len(patterns)), patterns), Listener())

    def _healed(self, patterns: Any) -> NDArray[np.float32]:
        task, found = cast(Healing, self.task).to(find_device(self.device)), []
        dataset = SupportDataset(patterns, np.arange(len(patterns)))
        for start in range(0, len(patterns), self.batch_size):
            batch = dataset[range(start, min(start + self.batch_size, len(patterns)))]
            with torch.inference_mode():
                healed = task.predict_step({name: values.to(task.device) for name, values in batch.items()})
            found.append(healed[INTENSITY][:, 0].float().cpu().numpy())
        return np.concatenate(found)

    def _densities(self, patterns: Any, mask: Any) -> NDArray[np.complex64]:
        if isinstance(patterns, str | os.PathLike):
            raise UserError(f"{patterns}: a 3D network takes arrays here, (z, y, x); spi phase phases files")
        volumes = torch.as_tensor(patterns).float()
        volumes = volumes[None] if volumes.ndim == 3 else volumes
        if volumes.ndim != 4:
            raise UserError(f"patterns: shape {tuple(volumes.shape)}; a 3D network takes (N, z, y, x) or (z, y, x)")
        measured = volumes.isfinite() if mask is None else torch.as_tensor(mask).bool().expand(volumes.shape)
        amplitude = torch.where(measured, volumes, 0.0).sqrt()
        if amplitude.isnan().any():
            raise UserError("patterns: measured intensities are negative; mask them or clip them at 0")
        task, found = cast(ComplexReconstruction, self.task).to(find_device(self.device)), []
        for pattern, known in zip(amplitude[:, None, None], measured[:, None, None], strict=True):
            batch = {
                FOURIER_AMPLITUDE: pattern.to(task.device),
                MASK: known.to(task.device),
                FRAME: torch.zeros(1).long(),
            }
            with torch.inference_mode(), size_refused(self.name, self.checkpoint, pattern.shape[2:]):
                predicted = task.predict_step(batch)
            found.append(torch.polar(predicted[AMPLITUDE].float(), predicted[PHASE].float())[0, 0].cpu().numpy())
        return np.stack(found)


def load(
    run: str | os.PathLike[str], *, device: str = "auto", batch_size: int = 64, trusted: str | None = None
) -> Trained:
    """A trained network of a run folder or checkpoint file.

    Args:
        run: Run folder, whose best checkpoint is taken, or .ckpt file.
        device: Device of the computation: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ...
        batch_size: Number of patterns computed together.
        trusted: Package whose classes the checkpoint may name, of a network of your own; None: this package alone.

    Raises:
        UserError: There is no such run, its checkpoint is damaged, or it names classes of another package.

    Examples:
        >>> from spi_lightning import load
        >>> load("runs/small", device="cpu").predict("hits.cxi").shape
        (24,)
    """
    if trusted is not None:
        trust(trusted)
    trained = Trained(find_checkpoint(Path(run), "run"), device, batch_size)
    _ = trained.task  # a damaged checkpoint is refused here
    return trained
