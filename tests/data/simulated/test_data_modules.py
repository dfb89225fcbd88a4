"""DataModules of simulated sets: the batches of hits, supports and volumes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spi_lightning.data import (
    OnlinePatterns,
    SimulatedHitDataModule,
    SimulatedSupportDataModule,
    SimulatedVolumeDataModule,
    StructureSource,
)
from spi_lightning.data.simulated.data_modules import hit_batch, measure_again
from spi_lightning.data.supports import reflect_supports
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    AMPLITUDE,
    DENSITY,
    DISTANCE,
    FRAME,
    INTENSITY,
    IS_SINGLE_HIT,
    KIND,
    MASK,
    PARTICLE_ID,
    PHASE,
    PHOTON_ENERGY,
    PHOTONS,
    PIXEL_SIZE,
    STRUCTURE,
)
from spi_lightning.fingerprint import fingerprint
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.twin import is_canonical
from spi_lightning.simulate import MacromoleculeSimulator, Measurement, Projection
from spi_lightning.simulate.volumes import VolumeNoise, VolumeSimulator, pattern_of


class CountingSimulator:
    """Patterns whose first pixel is block * 100 + number; counts how often each block was drawn."""

    shape, block_size = (6, 6), 5

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, torch.Tensor]:
        self.drawn.append(block)
        photons = torch.zeros(5, 6, 6)
        photons[:, 0, 0] = block * 100 + torch.arange(5)
        photons[:, 0, 1] = seed
        label = torch.arange(5) % 2
        return {
            PHOTONS: photons,
            MASK: torch.ones(5, 6, 6, dtype=torch.bool),
            IS_SINGLE_HIT: label,
            KIND: label,
            PARTICLE_ID: torch.full((5,), block),
        }


def test_online_patterns_are_those_of_their_blocks_in_any_order() -> None:
    hits = OnlinePatterns(CountingSimulator(), hit_batch, seed=3)
    batch = hits[[12, 4, 11, 5]]
    assert batch[PHOTONS].shape == batch[MASK].shape == (4, 1, 6, 6)
    assert batch[PHOTONS][:, 0, 0, 0].tolist() == [202, 4, 201, 100]
    assert batch[PARTICLE_ID].tolist() == [2, 0, 2, 1]
    assert batch[FRAME].tolist() == [12, 4, 11, 5]
    assert (batch[PHOTONS][:, 0, 0, 1] == 3).all()


def hit_module(tmp_path: Path, **options: Any) -> SimulatedHitDataModule:
    data = SimulatedHitDataModule(
        CountingSimulator(),
        "any: text",
        {"train": 17, "val": 0, "test": 0},
        cache_dir=str(tmp_path),
        batch_size=4,
        **options,
    )
    data.prepare_data()
    data.setup("fit")
    return data


def test_online_epochs_never_repeat_a_pattern_nor_draw_a_block_twice(tmp_path: Path) -> None:
    data = hit_module(tmp_path, online=True)
    loader = data.train_dataloader()
    frames = [torch.cat([batch[FRAME] for batch in loader]) for _ in range(3)]
    assert [len(epoch) for epoch in frames] == [16, 16, 16]
    assert len(torch.cat(frames).unique()) == 48
    drawn = data.simulator.drawn  # type: ignore[attr-defined]
    assert drawn == sorted(set(drawn))


def test_workers_draw_the_same_patterns(tmp_path: Path) -> None:
    alone, helped = (
        torch.cat([batch[PHOTONS] for batch in hit_module(tmp_path, online=True, num_workers=n).train_dataloader()])
        for n in (0, 2)
    )
    assert torch.equal(alone, helped)


def test_a_gpu_cannot_draw_inside_workers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.num_workers=0"):
        hit_module(tmp_path, online=True, device="cuda", num_workers=1)


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


def support_module(tables: Path, tmp_path: Path, **options: Any) -> SimulatedSupportDataModule:
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
    data = support_module(tables, tmp_path, online=online)
    for batch in (next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))):
        for name, dtype in ((INTENSITY, torch.float32), (MASK, torch.bool), (DENSITY, torch.float32)):
            assert batch[name].shape == (8, 1, 32, 32) and batch[name].dtype == dtype
        assert batch[STRUCTURE].dtype == batch[FRAME].dtype == torch.int64
        torch.testing.assert_close(batch[DENSITY].amax((1, 2, 3)), torch.ones(8))
        torch.testing.assert_close(fourier(batch[DENSITY], 2).abs().square(), batch[INTENSITY], rtol=1e-4, atol=1e-4)


def test_splits_show_different_structures_and_a_second_run_finds_the_sets(tables: Path, tmp_path: Path) -> None:
    data = support_module(tables, tmp_path)
    shown = [set(data.splits[name].structure.tolist()) for name in ("train", "val", "test")]  # type: ignore[attr-defined]
    assert not (shown[0] & shown[1] or shown[0] & shown[2] or shown[1] & shown[2])
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.cxi")}
    assert len(made) == 3
    support_module(tables, tmp_path)
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.cxi")}


def test_mirror_images_keep_pattern_and_density_together_and_canonical(tables: Path, tmp_path: Path) -> None:
    batch = next(iter(support_module(tables, tmp_path).train_dataloader()))
    mirrored = reflect_supports(batch, "dihedral", draw=1)
    assert not torch.equal(mirrored[DENSITY], batch[DENSITY])
    assert is_canonical(mirrored[DENSITY], 2).all()
    torch.testing.assert_close(fourier(mirrored[DENSITY], 2).abs().square(), mirrored[INTENSITY], rtol=1e-4, atol=1e-4)


def test_a_measurement_while_training_is_new_in_every_epoch_and_the_same_again(tables: Path, tmp_path: Path) -> None:
    batch = next(iter(support_module(tables, tmp_path).train_dataloader()))
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


SMALL = VolumeSimulator(size=16, object_size=8, block_size=4)
NOISY = VolumeSimulator(size=16, object_size=8, block_size=4, noise=VolumeNoise(peak_photons=(1e3, 1e3), gap=(2, 2)))


def volume_module(folder: Path, simulator: VolumeSimulator = SMALL, **options: Any) -> SimulatedVolumeDataModule:
    patterns = {"train": 10, "val": 4, "test": 0}
    data = SimulatedVolumeDataModule(simulator, "any: text", patterns, cache_dir=str(folder), batch_size=5, **options)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("simulator", [SMALL, NOISY])
@pytest.mark.parametrize("online", [False, True])
def test_batches_have_the_agreed_shapes(tmp_path: Path, simulator: VolumeSimulator, online: bool) -> None:
    batch = next(iter(volume_module(tmp_path, simulator, online=online).train_dataloader()))
    assert batch["fourier_amplitude"].shape == batch[MASK].shape == (5, 1, 16, 16, 16)
    assert batch[AMPLITUDE].shape == batch[PHASE].shape == (5, 1, 8, 8, 8)
    assert {batch[name].dtype for name in ("fourier_amplitude", AMPLITUDE, PHASE)} == {torch.float32}
    assert batch[MASK].dtype == torch.bool
    assert (batch["fourier_amplitude"][~batch[MASK]] == 0).all()
    if simulator is SMALL:
        expected = pattern_of(batch[AMPLITUDE], batch[PHASE], 16)
        torch.testing.assert_close(batch["fourier_amplitude"], expected)


def test_online_and_file_are_the_same_particles(tmp_path: Path) -> None:
    stored = volume_module(tmp_path, NOISY).splits["train"][[7, 2]]
    drawn = OnlinePatterns(NOISY, volume_module(tmp_path, NOISY).as_batch, seed=0)[[7, 2]]
    assert stored[FRAME].tolist() == drawn[FRAME].tolist() == [7, 2]
    assert torch.equal(stored["fourier_amplitude"], drawn["fourier_amplitude"])
    torch.testing.assert_close(stored[PHASE], drawn[PHASE], atol=1e-3, rtol=0)  # half floats


def test_online_epochs_never_repeat_a_particle(tmp_path: Path) -> None:
    loader = volume_module(tmp_path, online=True).train_dataloader()
    frames = torch.cat([batch[FRAME] for _ in range(3) for batch in loader])
    assert len(frames.unique()) == len(frames) == 30


def test_splits_share_no_particle(tmp_path: Path) -> None:
    splits = volume_module(tmp_path).splits
    assert not torch.equal(splits["train"][[0]][PHASE], splits["val"][[0]][PHASE])


def test_workers_cannot_share_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.num_workers=0"):
        volume_module(tmp_path, device="cuda", num_workers=1)


class SharedPixels(CountingSimulator):
    """Patterns of cells that share pixels, with fractions of photons."""

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, torch.Tensor]:
        drawn = super().__call__(block, seed, device)
        values = {PHOTON_ENERGY: 1600.0, DISTANCE: 0.5, PIXEL_SIZE: 1e-4}
        geometry = {name: torch.full((5,), value) for name, value in values.items()}
        return drawn | geometry | {PHOTONS: drawn[PHOTONS] + 0.25}


def test_stored_patterns_may_hold_fractions_of_photons(tmp_path: Path) -> None:
    module = SimulatedHitDataModule(SharedPixels(), "name: shared", {"val": 10}, cache_dir=str(tmp_path), seed=3)
    module.prepare_data()
    module.setup("validate")
    batch = next(iter(module.val_dataloader()))
    assert batch[PHOTONS][1, 0, 0, 0] == 1.25 and batch[PHOTONS].min() == 0.25
