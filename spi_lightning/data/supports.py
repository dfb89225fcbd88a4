"""Batches of patterns and densities from files, for support prediction and phasing in 2D."""

from collections.abc import Mapping, Sequence

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, Batch
from spi_lightning.io import PatternFile, PatternKeys, open_patterns, read_intensities
from spi_lightning.io.hdf5.file import opened
from spi_lightning.physics.twin import invert, is_canonical

from .hits import PatternBatches, read_masks
from .splits import split_by_particle
from .transforms import AUGMENTATIONS, Augmentation, coins


class SupportDataset(Dataset[Batch]):
    """Frames of one pattern file with densities, read on access in batches.

    ``dataset[[3, 1, 2]]`` is a finished batch: intensity (B, 1, H, W) float32, 0 where not measured, mask (B, 1, H, W)
    bool, False for NaN and infinite pixels too, density (B, 1, H, W) float32 where the file has densities, structure
    (B,) int64, -1 where unknown, and frame (B,) int64. Densities are read with the frames, never the whole data
    set. Pickles without open files.

    Args:
        file: Pattern file from io.open_patterns.
        frames: (n,) int64 index of the frames; None: all.

    Raises:
        UserError: A pattern that is read has negative values.
    """

    def __init__(self, file: PatternFile, frames: np.ndarray | None = None) -> None:
        self.file = file
        self.frames = np.arange(len(file)) if frames is None else np.asarray(frames, dtype=np.int64)
        structure = file.labels.get(STRUCTURE, np.full(len(file), -1))
        self.structure = torch.as_tensor(np.asarray(structure, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        if isinstance(index, int | np.integer):
            return {name: values[0] for name, values in self[[int(index)]].items()}
        frames = self.frames[np.asarray(index, dtype=np.int64)]
        read = read_intensities(self.file, frames)
        batch = {
            INTENSITY: torch.from_numpy(read.values)[:, None],
            MASK: torch.from_numpy(read.mask)[:, None] if read.broken.any() else read_masks(self.file, frames),
            STRUCTURE: self.structure[torch.from_numpy(frames)],
            FRAME: torch.from_numpy(frames),
        }
        if DENSITY in self.file.images:
            density = self.file.read_image(DENSITY, frames)
            batch[DENSITY] = torch.from_numpy(density.astype(np.float32, copy=False))[:, None]
        return batch

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """One read for a list of indices, as torch's fetcher expects."""
        batch = self[indices]
        return [{name: values[i] for name, values in batch.items()} for i in range(len(indices))]


class SupportBatches(PatternBatches):
    """PatternBatches that mirror densities with their patterns, as canonical twins."""

    def mirrored(self, batch: Batch) -> Batch:
        """Patterns and densities mirrored at random, differently in every epoch."""
        return reflect_supports(batch, self.augment, self._draw())


class SupportDataModule(SupportBatches):
    """Patterns of one file, or of several joined; no structure is in two splits.

    Files with densities (simulated sets) serve training and test, all others prediction only. Without structure names
    in the file every frame counts as a structure.

    Args:
        path: File, glob or list of files, see io.open_patterns.
        keys: Names of data sets inside the files; ``keys.photons`` is the intensity.
        mask_convention, adu_per_photon: Reading of masks and detector units, as in io.open_patterns; without the latter
            intensities may have any unit.
        fractions: Share of the patterns in train, val and test.
        batch_size, num_workers, seed: Loading of batches, as in PatternBatches.
        augment: Random reflections, ``none``, ``flips`` or ``dihedral``.
    """

    def __init__(
        self,
        path: str | Sequence[str],
        keys: PatternKeys | None = None,
        mask_convention: str = "auto",
        fractions: Mapping[str, float] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        augment: Augmentation = "none",
        adu_per_photon: float | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, augment)
        self.path, self.keys, self.mask_convention, self.adu_per_photon = path, keys, mask_convention, adu_per_photon
        self.fractions = dict(fractions or {"train": 0.7, "val": 0.15, "test": 0.15})

    def setup(self, stage: str) -> None:
        """Open the file and divide its structures into splits."""
        if "predict" not in self.splits:
            keys = self.keys or PatternKeys()
            file = open_patterns(self.path, keys, self.mask_convention, self.adu_per_photon, check=False)
            self.splits["predict"] = SupportDataset(file)
        if stage == "predict" or "test" in self.splits:
            return
        file = self.splits["predict"].file  # type: ignore[attr-defined]
        if DENSITY not in file.images:
            raise UserError(f"{file.path}: no densities to train or test on (/entry_1/labels_1/density)")
        structure = np.asarray(file.labels.get(STRUCTURE, np.arange(len(file))))
        for name, rows in split_by_particle(structure, self.fractions, self.seed).items():
            self.splits[name] = SupportDataset(file, rows)


def structure_names(patterns: PatternFile) -> dict[int, str]:
    """Identifiers of the structures of a simulated set by index; empty where unknown."""
    if not patterns.path.is_file() or not h5py.is_hdf5(patterns.path):
        return {}
    with opened(patterns.path) as file:
        names = str(file.attrs.get("structures", ""))
    return dict(enumerate(names.split(","))) if names else {}


def reflect_supports(batch: Batch, augment: str, draw: int) -> Batch:
    """Mirror each pattern, mask and density about the origin n // 2 at random, with canonical twins again.

    As transforms.reflect, but with the density: reflections of a canonical twin need not be canonical, and index 0 of
    an even axis stays.

    Args:
        batch: Batch with intensity, mask, density (B, 1, H, W) and frame (B,).
        augment: Reflections, ``none``, ``flips`` (left-right and up-down) or ``dihedral`` (also transposed; square
            patterns only).
        draw: Integer below 2^31 that selects the random reflections.
    """
    if augment not in AUGMENTATIONS:
        raise UserError(f"data.augment={augment} is unknown: choose one of {', '.join(AUGMENTATIONS)}")
    if augment == "none":
        return batch
    images = [name for name in (INTENSITY, MASK, DENSITY) if name in batch]
    coin_of, reflected = coins(batch[FRAME], draw), dict(batch)
    for bit in range(3 if augment == "dihedral" else 2):
        coin = (coin_of >> bit & 1).bool()[:, None, None, None]
        for name in images:
            reflected[name] = torch.where(coin, _mirror(reflected[name], bit), reflected[name])
    if DENSITY in batch:
        keep = is_canonical(reflected[DENSITY], ndim=2)[:, :, None, None]
        for name in images:
            reflected[name] = torch.where(keep, reflected[name], invert(reflected[name], ndim=2))
    return reflected


def _mirror(image: Tensor, bit: int) -> Tensor:
    """Image (..., H, W) mirrored left-right or up-down, or transposed, about n // 2."""
    if bit == 2:
        return image.transpose(-2, -1)
    axis = (-1, -2)[bit]
    return torch.roll(image.flip(axis), 1 - image.shape[axis] % 2, axis)
