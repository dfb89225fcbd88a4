import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spi_lightning.data import HitDataModule, HitDataset
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, KIND, MASK, PARTICLE_ID, PHOTONS
from spi_lightning.io import PatternKeys, open_patterns

KEYS = PatternKeys(photons="patterns", label="labels", mask="mask")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Thirty patterns of 8 x 8 pixels whose brightest pixel tells their number; labels 1, 0 and one unknown."""
    photons = np.zeros((30, 8, 8), np.uint16)
    photons[:, 3, 3] = np.arange(30)
    labels = np.arange(30) % 2
    labels[29] = -1
    mask = np.zeros((8, 8), np.uint8)
    mask[0] = 1
    with h5py.File(tmp_path / "patterns.h5", "w") as out:
        out["patterns"], out["labels"], out["mask"] = photons, labels, mask
    return tmp_path / "patterns.h5"


def module(file: Path, **options: object) -> HitDataModule:
    data = HitDataModule(str(file), KEYS, mask_convention="bad", batch_size=4, **options)  # type: ignore[arg-type]
    data.setup("fit")
    return data


def test_a_batch_has_the_names_shapes_and_types_of_fields(file: Path) -> None:
    dataset = HitDataset(open_patterns(str(file), KEYS, "bad"))
    batch = dataset[[5, 2, 5]]
    assert batch[PHOTONS].shape == batch[MASK].shape == (3, 1, 8, 8)
    assert (batch[PHOTONS].dtype, batch[MASK].dtype) == (torch.float32, torch.bool)
    assert batch[PHOTONS][:, 0, 3, 3].tolist() == batch[FRAME].tolist() == [5, 2, 5]
    assert batch[IS_SINGLE_HIT].tolist() == [1, 0, 1] and batch[KIND].tolist() == [-1, -1, -1]
    assert not batch[MASK][:, :, 0].any() and batch[MASK][:, :, 1:].all()
    assert dataset[5][PHOTONS].shape == (1, 8, 8)


def test_torch_default_loaders_and_pickles_work_too(file: Path) -> None:
    dataset = HitDataset(open_patterns(str(file), KEYS, "bad"))
    dataset[[0]]
    collated = next(iter(DataLoader(pickle.loads(pickle.dumps(dataset)), batch_size=3)))
    assert torch.equal(collated[PHOTONS], dataset[[0, 1, 2]][PHOTONS])


def test_splits_share_no_frame_and_leave_out_the_unlabelled(file: Path) -> None:
    data = module(file)
    frames = [set(data.splits[name].frames) for name in ("train", "val", "test")]  # type: ignore[attr-defined]
    assert set.union(*frames) == set(range(29)) and sum(map(len, frames)) == 29
    assert len(data.splits["predict"]) == 30  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_give_what_the_sampler_says_with_any_number_of_workers(file: Path, workers: int) -> None:
    data = module(file, num_workers=workers)
    loader = data.train_dataloader()
    epochs = [torch.cat([batch[FRAME] for batch in loader]) for _ in range(2)]
    frames = torch.from_numpy(data.splits["train"].frames)  # type: ignore[attr-defined]
    for epoch, found in enumerate(epochs):
        assert torch.equal(found, frames[data.training_order(epoch)[: len(found)]])
    assert len(epochs[0]) == 4 * (len(frames) // 4)
    val = torch.cat([batch[FRAME] for batch in data.val_dataloader()])
    assert val.tolist() == sorted(data.splits["val"].frames)  # type: ignore[attr-defined]


def test_a_resumed_module_goes_on_after_the_batch_trained_on_last(file: Path) -> None:
    whole, cut = module(file).train_dataloader(), module(file)
    expected = [batch[FRAME].tolist() for _ in range(2) for batch in whole]
    stopped = iter(cut.train_dataloader())
    first = [next(stopped)[FRAME].tolist() for _ in range(3)]
    resumed = module(file)
    resumed.load_state_dict(cut.state_dict())
    loader = resumed.train_dataloader()
    rest = [batch[FRAME].tolist() for _ in range(2) for batch in loader]
    assert first + rest == expected


def test_runs_stay_together(file: Path) -> None:
    with h5py.File(file, "a") as out:
        out["run"] = np.repeat(np.arange(10), 3)
    data = HitDataModule(str(file), PatternKeys("patterns", "labels", "mask", "run"), "bad", batch_size=4)
    data.setup("fit")
    owners = [set(data.splits[name][range(3)][PARTICLE_ID].tolist()) for name in ("train", "val", "test")]
    assert not owners[0] & owners[1] and not owners[0] & owners[2]


def test_labels_are_needed_and_splits_must_not_be_empty(file: Path) -> None:
    with pytest.raises(UserError, match="'val' without patterns"):
        module(file, fractions={"train": 0.98, "val": 0.015, "test": 0.005})
    bare = file.with_name("bare.h5")
    with h5py.File(bare, "w") as out:
        out["patterns"] = np.ones((30, 8, 8), np.uint16)
    unlabelled = HitDataModule(str(bare), PatternKeys("patterns"))
    with pytest.raises(UserError, match=r"no labels.*data\.keys\.label"):
        unlabelled.setup("fit")
    unlabelled.setup("predict")
    assert len(unlabelled.splits["predict"]) == 30  # type: ignore[arg-type]
    with pytest.raises(UserError, match="batch_size=0"):
        HitDataModule(str(file), batch_size=0)
