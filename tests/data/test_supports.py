"""Files of patterns with densities: lazily read, split by structure, refused when broken."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.data import SupportDataModule, SupportDataset
from spi_lightning.data.simulated.making import make_set
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE
from spi_lightning.io import PatternKeys, open_patterns, write_selection
from spi_lightning.simulate import MacromoleculeSimulator, Measurement, Projection
from tests.simulate.macromolecules.test_macromolecule import Collection, protein


def made(path: Path, seed: int = 0, patterns: int = 20, **options: object) -> Path:
    structures = Collection([protein(number) for number in range(6)])
    simulator = MacromoleculeSimulator(structures, Projection(32, 4.66e-10), block_size=4, **options)  # type: ignore[arg-type]
    return make_set(simulator, patterns, seed, path)


def test_a_set_reads_back_what_was_simulated(tmp_path: Path) -> None:
    file = open_patterns(made(tmp_path / "set.cxi"), check=False)
    assert DENSITY in file.images and DENSITY not in file.labels and file.source.dtype == np.float32
    batch = SupportDataset(file)[[7, 2, 7]]
    assert {name: values.dtype for name, values in batch.items()} == {
        INTENSITY: torch.float32, MASK: torch.bool, DENSITY: torch.float32, STRUCTURE: torch.int64, FRAME: torch.int64,
    }  # fmt: skip
    structures = Collection([protein(number) for number in range(6)])
    drawn = MacromoleculeSimulator(structures, Projection(32, 4.66e-10), block_size=4)(1, 0)
    for name in (INTENSITY, DENSITY):
        assert torch.equal(batch[name][0, 0], drawn[name][3])
    assert batch[STRUCTURE][0] == drawn[STRUCTURE][3] and batch[FRAME].tolist() == [7, 2, 7]
    assert file.geometry["distance"] == pytest.approx(0.3) and (file.geometry["beam_centre"] == 16).all()
    with h5py.File(tmp_path / "set.cxi") as stored:
        assert stored.attrs["structures"] == "p0,p1,p2,p3,p4,p5"
        assert stored["entry_1/labels_1/density"].chunks == (1, 32, 32)


def test_counts_are_stored_as_integers(tmp_path: Path) -> None:
    measurement = Measurement(photons_per_speckle=(100, 100), beamstop=(2, 2))
    file = open_patterns(made(tmp_path / "set.cxi", measurement=measurement))
    assert file.source.dtype == np.uint16
    batch = SupportDataset(file)[[0]]
    assert not batch[MASK][0, 0, 16, 16] and batch[INTENSITY][0, 0, 16, 16] == 0


def test_splits_share_no_structure(tmp_path: Path) -> None:
    data = SupportDataModule(str(made(tmp_path / "set.cxi")), batch_size=4)
    data.setup("fit")
    displayed = [set(data.splits[name][range(len(data.splits[name]))][STRUCTURE].tolist()) for name in ("train", "val", "test")]  # type: ignore[arg-type]  # noqa: E501  # fmt: skip
    assert not (displayed[0] & displayed[1] or displayed[0] & displayed[2] or displayed[1] & displayed[2])
    assert data.patterns_in("predict") == 20 and next(iter(data.train_dataloader()))[DENSITY].shape == (4, 1, 32, 32)


def test_joined_files_and_selections_keep_their_densities(tmp_path: Path) -> None:
    paths = [str(made(tmp_path / f"{seed}.cxi", seed, 8)) for seed in (0, 1)]
    both = open_patterns(paths, check=False)
    batch = SupportDataset(both)[[9, 1]]
    assert torch.equal(batch[DENSITY][0], SupportDataset(open_patterns(paths[1], check=False))[[1]][DENSITY][0])
    write_selection(tmp_path / "some.cxi", both, [9, 1])
    some = SupportDataset(open_patterns(tmp_path / "some.cxi", check=False))[[0, 1]]
    assert torch.equal(some[DENSITY], batch[DENSITY]) and torch.equal(some[INTENSITY], batch[INTENSITY])


def test_a_data_set_pickles_without_its_densities(tmp_path: Path) -> None:
    dataset = SupportDataset(open_patterns(made(tmp_path / "set.cxi"), check=False))
    dataset[[0]]
    assert len(pickle.dumps(dataset)) < 20_000


def test_the_published_layout_trains(tmp_path: Path) -> None:
    density = np.zeros((10, 32, 32))
    density[:, 12:19, 11:22] = np.random.default_rng(3).random((10, 7, 11))
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["real_space"], file["data_fourier"] = density, np.fft.ifftn(density, axes=(1, 2))
    data = SupportDataModule(str(tmp_path / "train.h5"), batch_size=4, augment="flips")
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    measured = torch.fft.fftshift(torch.fft.fft2(batch[DENSITY]), dim=(-2, -1)).abs().square()
    torch.testing.assert_close(measured / measured.amax((-2, -1), keepdim=True), batch[INTENSITY], atol=1e-5, rtol=0)
    assert batch[MASK].all() and len(data.splits["train"]) == 7  # type: ignore[arg-type]


def test_any_file_can_be_predicted_but_only_one_with_densities_trained_on(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "real.h5", "w") as file:
        file["patterns"] = np.ones((3, 16, 16), np.uint16)
    data = SupportDataModule(str(tmp_path / "real.h5"), PatternKeys("patterns"))
    data.setup("predict")
    batch = next(iter(data.predict_dataloader()))
    assert DENSITY not in batch and batch[STRUCTURE].tolist() == [-1] * 3
    with pytest.raises(UserError, match="no densities to train or test on"):
        SupportDataModule(str(tmp_path / "real.h5"), PatternKeys("patterns")).setup("fit")


def test_a_file_of_one_structure_can_be_evaluated_but_not_dealt_to_splits(tmp_path: Path) -> None:
    with h5py.File(made(tmp_path / "one.cxi"), "r+") as file:
        file["entry_1/labels_1/structure"][...] = 0
    module = SupportDataModule(str(tmp_path / "one.cxi"))
    module.setup("predict")
    assert len(module.splits["predict"]) == 20  # type: ignore[arg-type]
    with pytest.raises(UserError, match="20 patterns of 1 particles are too few"):
        module.setup("fit")


@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0])
def test_values_that_no_intensity_has_are_one_line_or_not_measured(tmp_path: Path, value: float) -> None:
    patterns = np.ones((3, 16, 16), np.float32)
    patterns[1, 2, 5] = value
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["patterns"] = patterns
    dataset = SupportDataset(open_patterns(str(tmp_path / "bad.h5"), PatternKeys("patterns"), check=False))
    if value == -3.0:
        with pytest.raises(UserError, match=r"frame 1: 1 pixels are negative, the first is \(2, 5\)"):
            dataset[[0, 1]]
    else:
        batch = dataset[[0, 1]]
        assert int((~batch[MASK]).sum()) == 1 and not batch[MASK][1, 0, 2, 5] and batch[INTENSITY][1, 0, 2, 5] == 0
