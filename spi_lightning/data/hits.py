"""Batches of patterns from files for single-hit classification."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, KIND, MASK, PARTICLE_ID, PHOTONS, Batch
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.io.patterns.assembly import missing_labels
from spi_lightning.notes import Note

from .sampler import EpochBatches, ResumableLoader, ShardedBatches, finished, shuffled
from .splits import split_by_particle
from .transforms import Augmentation, reflect

LABELS = (IS_SINGLE_HIT, KIND, PARTICLE_ID)
_log = logging.getLogger(__name__)


class HitDataset(Dataset[Batch]):
    """Frames of one pattern file, read on access in batches.

    ``dataset[[3, 1, 2]]`` is a finished batch: photons (B, 1, H, W) float32, mask (B, 1, H, W) bool, frame,
    is_single_hit, kind, particle_id (B,) int64, -1 where unknown. ``dataset[3]`` is one pattern. Pickles
    without open files, so that every worker opens its own.

    Args:
        file: Pattern file from io.open_patterns.
        frames: (n,) int64 index of the frames; None: all.
        whole: Whether photons must be whole numbers; those of a canonical frame, whose cells share pixels, need not.
    """

    def __init__(self, file: PatternFile, frames: np.ndarray | None = None, whole: bool = True) -> None:
        self.file, self.whole = file, whole
        self.frames = np.arange(len(file)) if frames is None else np.asarray(frames, dtype=np.int64)
        self.labels = {
            name: torch.as_tensor(np.asarray(file.labels[name], dtype=np.int64)) if name in file.labels else None
            for name in LABELS
        }

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        if isinstance(index, int | np.integer):
            return {name: values[0] for name, values in self[[int(index)]].items()}
        frames = self.frames[np.asarray(index, dtype=np.int64)]
        read = self.file.read if self.whole else self.file.read_stored
        photons = torch.from_numpy(read(frames))[:, None]
        batch = {PHOTONS: photons, MASK: read_masks(self.file, frames), FRAME: torch.from_numpy(frames)}
        return batch | self.labels_of(batch[FRAME])

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """One read for a list of indices, as torch's fetcher expects."""
        batch = self[indices]
        return [{name: values[i] for name, values in batch.items()} for i in range(len(indices))]

    def labels_of(self, frame: Tensor) -> Batch:
        """All labels of frames (B,) int64 of the file, (B,) int64 each, -1 where unknown."""
        return {
            name: torch.full_like(frame, -1) if values is None else values[frame]
            for name, values in self.labels.items()
        }

    def label(self, name: str) -> Tensor:
        """One label of all patterns of the dataset, (n,) int64, -1 where unknown."""
        return self.labels_of(torch.from_numpy(self.frames))[name]


def read_masks(file: PatternFile, frames: np.ndarray) -> Tensor:
    """Masks (B, 1, H, W) bool of frames (B,); a common mask is stored once and expanded."""
    if file.masks_differ:
        return torch.from_numpy(file.read_mask(frames))[:, None]
    shape = file.shape[1:]
    shared = np.ones(shape, dtype=bool) if file.shared_mask is None else file.shared_mask
    return torch.as_tensor(shared).expand(len(frames), 1, *shape)


class PatternBatches(pl.LightningDataModule):
    """Loaders over ``self.splits``, which setup() fills with datasets named train, val, test and predict.

    Training batches are drawn each epoch from (seed, epoch) and resumed at the position of a checkpoint; evaluation
    batches keep the order of the frames. In training, patterns are mirrored on the device by ``augment``.

    Args:
        batch_size: Patterns per training step, over all processes together; per process in evaluation.
        num_workers: Number of reading processes.
        seed: Seed of splits, order and mirroring.
        augment: Random reflections, ``none``, ``flips`` or ``dihedral``.
    """

    allow_zero_length_dataloader_with_multiple_devices = True

    def __init__(
        self, batch_size: int = 64, num_workers: int = 0, seed: int = 0, augment: Augmentation = "none"
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"data.batch_size={batch_size} must be 1 or more")
        self.batch_size, self.num_workers, self.seed, self.augment = batch_size, num_workers, seed, augment
        self.splits: dict[str, Dataset[Batch]] = {}
        self.training_batches: ResumableLoader | None = None
        self.resume_point = {"epoch": 0, "position": 0}
        self.limit: int | float = 1.0  # largest number of training batches of an epoch, or the share that is used

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches that can be resumed."""
        _, processes = self._process()
        length = self.patterns_in("train")
        if length < processes:
            raise UserError(f"the training split has {length} patterns: too few for {processes} processes")
        if self.batch_size % processes:
            raise UserError(f"data.batch_size={self.batch_size} does not divide into {processes} processes")
        batches = self._batches()
        if not len(batches):
            raise UserError(
                f"trainer.limit_train_batches={self.limit} leaves no batch of an epoch: give a number above 0"
            )
        self.training_batches = ResumableLoader(self.splits["train"], batches, **self._options())
        return self.training_batches

    def progress(self) -> tuple[int, int, int]:
        """Epoch of a resumed run, its batches done, and all batches of an epoch, in the current batch size."""
        sampler = self._batches()
        return sampler.epoch, sampler.position, len(sampler)

    def _batches(self) -> EpochBatches:
        length = self.patterns_in("train")
        sampler = EpochBatches(self.training_order, length, self.batch_size, *self._process(), self.limit)
        sampler.resume_at(**self.resume_point)
        return sampler

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Validation patterns in order."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Test patterns in order."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """All patterns, labelled or not, in order."""
        return self._in_order("predict")

    def state_dict(self) -> dict[str, int]:
        """Epoch and numbers of its batches and patterns done, which Lightning stores in the checkpoint.

        Lightning would save the state of a loader too, but does not restore it at the end of an epoch.
        """
        if self.training_batches is not None:
            self.resume_point = self.training_batches.batches.progress()
        return self.resume_point

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume after the last batch of a state_dict()."""
        self.resume_point = dict(state_dict)

    def training_order(self, epoch: int) -> np.ndarray:
        """Order of the training patterns in an epoch, (n,) indices."""
        return shuffled(self.patterns_in("train"), self.seed, epoch)

    def statistics_batches(self) -> Iterator[Batch]:
        """Batches of all training patterns once, in order, for the standardisation."""
        dataset = self.splits["train"]
        return (dataset[piece] for piece in ShardedBatches(self.patterns_in("train"), self.batch_size))

    def training_labels(self, name: str) -> Tensor | None:
        """is_single_hit or kind of the training patterns, (n,) int64, -1 where unknown; None if not drawn yet."""
        dataset = self.splits["train"]
        return dataset.label(name) if isinstance(dataset, HitDataset) else None

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Mirror training patterns at random."""
        return self.mirrored(batch) if self._training() else batch

    def mirrored(self, batch: Batch) -> Batch:
        """Patterns mirrored at random, differently in every epoch."""
        return reflect(batch, self.augment, self._draw())

    def _training(self) -> bool:
        return self.trainer is not None and bool(self.trainer.training) and self.training_batches is not None

    def _draw(self) -> int:
        """Number below 2^31 that differs in every epoch."""
        epoch = self.training_batches.epoch if self.training_batches is not None else 0
        return (self.seed * 65_537 + epoch) % 2**31

    def _in_order(self, split: str) -> DataLoader[Batch] | list[Any]:
        if self.patterns_in(split) == 0:
            return []
        rank, processes = self._process()
        sampler = ShardedBatches(self.patterns_in(split), self.batch_size, rank, processes)
        return DataLoader(self.splits[split], batch_size=None, sampler=sampler, collate_fn=finished, **self._options())

    def patterns_in(self, split: str) -> int:
        """Number of patterns of a split; 0 if there is no such split."""
        return len(self.splits[split]) if split in self.splits else 0  # type: ignore[arg-type]

    def _process(self) -> tuple[int, int]:
        """Rank of this process and number of processes; (0, 1) outside a trainer."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _options(self) -> dict[str, Any]:
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return {
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": on_gpu,
        }


class HitDataModule(PatternBatches):
    """Patterns of one file, or of several joined; no particle is in two splits.

    Frames whose is_single_hit and kind are both unknown are left out of train, val and test; predict has all frames.
    Without particle names in the file every frame counts as a particle.

    Args:
        path: File, glob or list of files, see io.open_patterns.
        keys: Names of data sets inside the files.
        mask_convention, adu_per_photon: Reading of masks and detector units, as in io.open_patterns.
        geometry: Distance (m), pixel_size (m), photon_energy (eV) in place of those of the file, where not null.
        fractions: Share of the patterns in train, val and test, drawn within each label.
        batch_size, num_workers, seed, augment: Loading of batches, as in PatternBatches.

    Raises:
        UserError: The file is unreadable; in setup, it has no labels or a split is empty.
    """

    def __init__(
        self,
        path: str | Sequence[str],
        keys: PatternKeys | None = None,
        mask_convention: str = "auto",
        adu_per_photon: float | None = None,
        fractions: Mapping[str, float] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        augment: Augmentation = "none",
        geometry: Mapping[str, float | None] | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, augment)
        self.geometry = geometry
        self.path, self.keys, self.mask_convention, self.adu_per_photon = path, keys, mask_convention, adu_per_photon
        self.fractions = dict(fractions or {"train": 0.7, "val": 0.15, "test": 0.15})

    def setup(self, stage: str) -> None:
        """Open the file, log the notes of the reader, and divide the labelled frames into splits."""
        if self.splits:
            return
        keys = self.keys or PatternKeys()
        file = open_patterns(self.path, keys, self.mask_convention, self.adu_per_photon, geometry=self.geometry)
        log_notes(file.notes)
        self.splits["predict"] = HitDataset(file)
        if stage == "predict":
            return
        for name, frames in labelled_splits(file, self.fractions, self.seed).items():
            self.splits[name] = HitDataset(file, frames)


def labelled_splits(file: PatternFile, fractions: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Splits of the labelled frames of a file into train, val and test, (n,) each, as in HitDataModule."""
    labelled = np.flatnonzero(_known(file))
    if len(labelled) == 0:
        raise UserError(f"{file.path}: no labels to train or test on: {missing_labels(file)}")
    particle = np.asarray(file.labels.get(PARTICLE_ID, np.arange(len(file))))[labelled]
    stratum = np.asarray(file.labels.get(IS_SINGLE_HIT, np.zeros(len(file), int)))[labelled]
    return {name: labelled[rows] for name, rows in split_by_particle(particle, fractions, seed, stratum).items()}


@rank_zero_only
def log_notes(notes: Iterable[Note]) -> None:
    """Log the notes of a reader; of the processes of a run the first one does."""
    for note in notes:
        _log.info(str(note))


def _known(file: PatternFile) -> np.ndarray:
    """Mask (N,) of the frames with a label of either kind."""
    known = np.zeros(len(file), dtype=bool)
    for name in (IS_SINGLE_HIT, KIND):
        if name in file.labels:
            known |= np.asarray(file.labels[name]) >= 0
    return known
