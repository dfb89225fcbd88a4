"""Trained networks from their run folders: load once, predict on arrays or files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from spi_lightning.data.supports import SupportDataset
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.evaluation.supports import SupportQuestion
from spi_lightning.fields import INTENSITY, IS_SINGLE_HIT
from spi_lightning.methods import CheckpointMethod, SupportCheckpoint, VolumeCheckpoint
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart
from spi_lightning.results.support_answer import SupportAnswer
from spi_lightning.results.volume_answer import VolumePart
from spi_lightning.summary import Summarised
from spi_lightning.tasks import (
    ComplexReconstruction,
    Healing,
    HitClassification,
    SupportPrediction,
    find_checkpoint,
    load_task,
    registry,
)
from spi_lightning.tasks.checkpoint_files import run_name

from .patterns import DATA_WORDS, Patterns, as_patterns
from .python_words import in_python, python_words, require_words
from .volumes import as_volumes

_METHODS: Final[dict[type, type[Any]]] = {
    HitClassification: CheckpointMethod,
    SupportPrediction: SupportCheckpoint,
    ComplexReconstruction: VolumeCheckpoint,
}
"""Task -> class of the method that answers with its network."""
_INPUT: Final = ("bin", "crop", "speckle", "beam_centre")


@dataclass(frozen=True, repr=False)
class Trained(Summarised):
    """A trained network, rebuilt from its checkpoint and kept on the device.

    Attributes:
        checkpoint: File of the weights.
        device: Device of the computation.
        batch_size: Number of patterns computed together.
        bin, crop: Number of pixels summed along each axis, and edge of the square that is kept, pixel, instead of those
            of the training, for patterns of another detector; None: those of the training.
        speckle: Speckle width, pixel, for a network that takes patterns of any size; None: found from their hits.
        beam_centre: Row and column of the beam, pixel, for such a network or around which patterns are cropped; None:
            as the file says, and for such a network else found.
        trust: Packages besides this one whose classes the checkpoint may name.

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
    bin: int | None = None
    crop: int | None = None
    speckle: float | None = None
    beam_centre: tuple[float, float] | None = None
    trust: tuple[str, ...] = ()

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

    @in_python
    def predict(self, patterns: Patterns, mask: ArrayLike | Tensor | str | None = None, **data: Any) -> NDArray[Any]:
        """Answer of the network to patterns.

        Args:
            patterns: Open file, path, or photons of NumPy or torch: (N, y, x) or (y, x); of a 3D network (N, z, y, x)
                or (z, y, x), origin at n // 2.
            mask: Bool, of the patterns' shape or of one pattern, True where measured; None: the file's, or all finite.
            data: Of a path, what open_patterns takes: ``adu_per_photon``, ``photons``, ``mask``, ``index``, ...

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
            return self.answer(patterns, mask, **data).probability
        require_words("predict", data, () if isinstance(self.task, ComplexReconstruction) else DATA_WORDS)
        if isinstance(self.task, SupportPrediction):
            part = SupportQuestion.of_file(as_patterns(patterns, mask, words=data)).part
            return cast(SupportAnswer, self.method.answer(part, Listener())).support
        if isinstance(self.task, Healing):
            return self._healed(as_patterns(patterns, mask, words=data))
        return self._densities(patterns, mask)

    @in_python
    def answer(self, patterns: Patterns, mask: ArrayLike | Tensor | str | None = None, **data: Any) -> HitAnswer:
        """Everything a hit classifier answers, (N,) probabilities, (N, d) features, (N,) distances from training.

        Args:
            patterns, mask, data: Patterns, as predict takes them.

        Raises:
            UserError: As predict; or the network is of another task.
        """
        if not isinstance(self.task, HitClassification):
            raise UserError(f"{self.checkpoint}: its task is {type(self.task).__name__}; use predict")
        require_words("predict", data, DATA_WORDS)
        opened = as_patterns(patterns, mask, words=data)
        unlabelled = opened.changed(labels={key: v for key, v in opened.labels.items() if key != IS_SINGLE_HIT})
        answer = cast(HitAnswer, self.method.answer(HitPart("", None, unlabelled), listener := Listener()))
        for note in listener.notes:
            if note.level:
                warnings.warn(python_words(note.text), stacklevel=4)  # of the line that called predict
        return answer

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

    @cached_property
    def method(self) -> Any:
        """The network as a method of evaluation, as ``evaluate`` takes it beside others.

        Raises:
            UserError: The network heals patterns, or has no such setting as ``bin`` or ``crop``.
        """
        made = next((method for task, method in _METHODS.items() if isinstance(self.task, task)), None)
        if made is None:
            raise UserError(f"{self.checkpoint}: a run of {type(self.task).__name__} answers no question of evaluate")
        options = {name: getattr(self, name) for name in ("batch_size", *_INPUT)}
        taken = {field.name for field in fields(made)}
        self._require_settings(taken)
        chosen = {name: value for name, value in options.items() if name in taken and value is not None}
        registry.trust(self.trust)  # of this checkpoint, whatever was loaded since
        method = made(name=self.name, checkpoint=self.checkpoint, instantiate=instantiate, device=self.device, **chosen)
        _ = getattr(method, "task", None)  # loaded now, while its packages are trusted
        return method

    def _require_settings(self, taken: Collection[str] = ()) -> None:
        """UserError for a setting of the input that the network's method does not take."""
        for name in _INPUT:
            if getattr(self, name) is not None and name not in taken:
                raise UserError(
                    f"{name}={getattr(self, name)}: {self.name}, {type(self.task).__name__}, takes no {name}"
                )

    def _healed(self, patterns: Any) -> NDArray[np.float32]:
        self._require_settings()
        task, found = cast(Healing, self.task).to(find_device(self.device)), []
        dataset = SupportDataset(patterns, np.arange(len(patterns)))
        for start in range(0, len(patterns), self.batch_size):
            batch = dataset[range(start, min(start + self.batch_size, len(patterns)))]
            with torch.inference_mode():
                healed = task.predict_step({name: values.to(task.device) for name, values in batch.items()})
            found.append(healed[INTENSITY][:, 0].float().cpu().numpy())
        return np.concatenate(found)

    def _densities(self, patterns: Any, mask: Any) -> NDArray[np.complex64]:
        volumes = as_volumes(patterns, mask)
        parts = (VolumePart(*pattern, 1, 0) for pattern in zip(volumes.fourier_amplitude, volumes.mask, strict=True))
        return np.stack([self.method.answer(part, Listener()).density[0].numpy() for part in parts])


@in_python
def load(
    run: str | os.PathLike[str],
    *,
    device: str = "auto",
    batch_size: int = 64,
    bin: int | None = None,
    crop: int | None = None,
    speckle: float | None = None,
    beam_centre: tuple[float, float] | None = None,
    trust: str | Sequence[str] = (),
) -> Trained:
    """A trained network of a run folder, a checkpoint file, or the package.

    Args:
        run: Run folder, whose best checkpoint is taken, .ckpt file, or name of weights that the package brings.
        device: Device of the computation: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ...
        batch_size: Number of patterns computed together.
        bin: Number of pixels summed along each axis before prediction; None: as in training.
        crop: Edge of the central square of the patterns that is used, pixel; None: as in training.
        speckle: Width of a speckle, pixel, for a network that takes patterns of any size; None: found from their hits.
        beam_centre: Row and column of the beam, pixel, for such a network, or around which patterns are cropped; None:
            as the file says, and for such a network else found.
        trust: Packages besides this one whose classes the checkpoint may name, of a network of your own.

    Raises:
        UserError: There is no such run, its checkpoint is damaged, or it names classes of another package.

    Examples:
        >>> from spi_lightning import load
        >>> load("runs/small", device="cpu").predict("hits.cxi").shape
        (24,)
    """
    registry.trust(trust)  # what an earlier call trusted is forgotten
    packages = (trust,) if isinstance(trust, str) else tuple(trust)
    trained = Trained(find_checkpoint(Path(run), "run"), device, batch_size, bin, crop, speckle, beam_centre, packages)
    _ = trained.task  # a damaged checkpoint is refused here
    return trained
