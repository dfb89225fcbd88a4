"""Batches of simulated macromolecules: names, shapes, splits, mirror images, fresh noise."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spi_lightning.data import SimulatedSupportDataModule, StructureSource
from spi_lightning.data.simulated.supports import measure_again
from spi_lightning.data.supports import reflect_supports
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE
from spi_lightning.fingerprint import fingerprint
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.twin import is_canonical
from spi_lightning.simulate import MacromoleculeSimulator, Measurement, Projection


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clouds of atoms of different composition, as tables."""
    folder, random = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    for number in range(12):
        xyz = random.normal(0, 5, (60, 3)) * [1, 1.5, 0.7]
        z = random.choice([6, 7, 8], 60, p=[0.4, 0.05 * number, 0.6 - 0.05 * number])
        np.savez(folder / f"s{number:02d}.npz", xyzZ=np.column_stack([xyz, z]).astype(np.float32))
    return folder


def simulator(tables: Path, **options: Any) -> MacromoleculeSimulator:
    projection = Projection(size=32, pixel_size=4.66e-10)
    return MacromoleculeSimulator(StructureSource(str(tables)), projection, block_size=8, **options)


def module(tables: Path, tmp_path: Path, **options: Any) -> SimulatedSupportDataModule:
    data = SimulatedSupportDataModule(
        simulator(tables),
        "any: text",
        {"train": 24, "val": 8, "test": 8},
        cache_dir=str(tmp_path),
        batch_size=8,
        **options,
    )
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("online", [False, True])
def test_batches_have_the_agreed_names_and_shapes(tables: Path, tmp_path: Path, online: bool) -> None:
    data = module(tables, tmp_path, online=online)
    for batch in (next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))):
        for name, dtype in ((INTENSITY, torch.float32), (MASK, torch.bool), (DENSITY, torch.float32)):
            assert batch[name].shape == (8, 1, 32, 32) and batch[name].dtype == dtype
        assert batch[STRUCTURE].dtype == batch[FRAME].dtype == torch.int64
        torch.testing.assert_close(batch[DENSITY].amax((1, 2, 3)), torch.ones(8))
        torch.testing.assert_close(fourier(batch[DENSITY], 2).abs().square(), batch[INTENSITY], rtol=1e-4, atol=1e-4)


def test_splits_show_different_structures_and_a_second_run_finds_the_sets(tables: Path, tmp_path: Path) -> None:
    data = module(tables, tmp_path)
    shown = [set(data.splits[name].structure.tolist()) for name in ("train", "val", "test")]  # type: ignore[attr-defined]
    assert not (shown[0] & shown[1] or shown[0] & shown[2] or shown[1] & shown[2])
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.cxi")}
    assert len(made) == 3
    module(tables, tmp_path)
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.cxi")}


def test_mirror_images_keep_pattern_and_density_together_and_canonical(tables: Path, tmp_path: Path) -> None:
    batch = next(iter(module(tables, tmp_path).train_dataloader()))
    mirrored = reflect_supports(batch, "dihedral", draw=1)
    assert not torch.equal(mirrored[DENSITY], batch[DENSITY])
    assert is_canonical(mirrored[DENSITY], 2).all()
    torch.testing.assert_close(fourier(mirrored[DENSITY], 2).abs().square(), mirrored[INTENSITY], rtol=1e-4, atol=1e-4)


def test_a_measurement_while_training_is_new_in_every_epoch_and_the_same_again(tables: Path, tmp_path: Path) -> None:
    batch = next(iter(module(tables, tmp_path).train_dataloader()))
    measurement = Measurement(photons_per_speckle=(100, 100), beamstop=(2, 2))
    first, again, other = (measure_again(batch, measurement, draw) for draw in (1, 1, 2))
    assert torch.equal(first[INTENSITY], again[INTENSITY]) and not torch.equal(first[INTENSITY], other[INTENSITY])
    assert torch.equal(first[INTENSITY], first[INTENSITY].round())
    assert not first[MASK][:, :, 16, 16].any() and (first[INTENSITY][~first[MASK]] == 0).all()


def test_one_pattern_per_structure_is_a_limit(tables: Path, tmp_path: Path) -> None:
    data = SimulatedSupportDataModule(
        simulator(tables, repeat=False), "any: text", {"train": 100, "val": 1, "test": 1}, cache_dir=str(tmp_path)
    )
    with pytest.raises(UserError, match="structures, one pattern each"):
        data.prepare_data()


def test_a_rewritten_structure_makes_another_set(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(0, 10, (30, 4))
    table[:, 3] = 6

    def key(element: int) -> str:
        np.savez(tmp_path / "a.npz", xyzZ=np.where(np.arange(4) == 3, element, table))
        os.utime(tmp_path / "a.npz", (0, 0))
        return fingerprint(StructureSource(str(tmp_path)))

    assert key(6) == key(6) != key(7)
