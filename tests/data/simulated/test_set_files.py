""""""

import errno
import itertools
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.data.simulated.making import cached_set, make_set
from spi_lightning.data.simulated.set_files import ENTRY
from spi_lightning.data.volumes import VolumeDataModule, VolumeDataset
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FRAME, INTENSITY, PHASE
from spi_lightning.simulate.volumes import VolumeNoise, VolumeSimulator


class Flaky(VolumeSimulator):
    """Stops before block 2 once."""

    broken = True

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        if block == 2 and Flaky.broken:
            Flaky.broken = False
            raise KeyboardInterrupt
        return super().__call__(block, seed, device)


SMALL: dict[str, Any] = {"size": 16, "object_size": 8, "block_size": 3}


def test_an_interrupted_set_goes_on_and_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    simulator = Flaky(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        make_set(simulator, 10, seed=1, path=path)
    assert not path.exists()
    make_set(simulator, 10, seed=1, path=path, config={"a": 1})
    whole = make_set(VolumeSimulator(**SMALL), 10, seed=1, path=tmp_path / "other.h5")
    with h5py.File(path) as one, h5py.File(whole) as other:
        np.testing.assert_array_equal(one[f"{ENTRY}/{PHASE}"], other[f"{ENTRY}/{PHASE}"])
        assert one[f"{ENTRY}/{AMPLITUDE}"].shape == (10, 8, 8, 8)
        assert "n // 2" in one.attrs["twin_rule"]
        assert one.attrs["simulate_config"] == "a: 1\n"
        assert INTENSITY not in one[ENTRY]
    assert not list(tmp_path.glob(".*.part"))


def test_workers_make_the_same_set(tmp_path: Path) -> None:
    simulator = VolumeSimulator(**SMALL, noise=VolumeNoise(peak_photons=(1e3, 1e4)))
    sets = [make_set(simulator, 7, 0, tmp_path / f"{n}.h5", workers=n) for n in (1, 2)]
    one, other = (VolumeDataset(path)[[0, 6]] for path in sets)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_existing_files_and_nonsense_are_refused(tmp_path: Path) -> None:
    simulator = VolumeSimulator(**SMALL)
    path = make_set(simulator, 2, 0, tmp_path / "set.h5")
    with pytest.raises(UserError, match="exists already"):
        make_set(simulator, 2, 0, path)
    make_set(simulator, 3, 0, path, overwrite=True)
    assert len(VolumeDataset(path)) == 3
    with pytest.raises(UserError, match="at least 1"):
        make_set(simulator, 0, 0, tmp_path / "none.h5")


def test_a_cached_set_is_found_again_and_a_changed_setting_is_not(tmp_path: Path) -> None:
    first = cached_set({}, VolumeSimulator(**SMALL), 2, 0, tmp_path)
    made = first.stat().st_mtime_ns
    assert cached_set({}, VolumeSimulator(**SMALL), 2, 0, tmp_path).stat().st_mtime_ns == made
    assert cached_set({}, VolumeSimulator(**SMALL, twin=False), 2, 0, tmp_path) != first


@pytest.mark.parametrize("damage", ["cut", "bit", "bit, no checksum"])
def test_a_damaged_cached_set_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    simulator = VolumeSimulator(**SMALL)
    path = cached_set({}, simulator, 5, 0, tmp_path)
    whole = VolumeDataset(path)[list(range(5))]
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        chunk = file[f"{ENTRY}/{PHASE}"].id.get_chunk_info(4)
    content[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(path.read_bytes()[:3000] if damage == "cut" else bytes(content))
    if damage.endswith("checksum"):
        path.with_name(f"{path.name}.sha256").unlink()
    cached_set({}, simulator, 5, 0, tmp_path)
    again = VolumeDataset(path)[list(range(5))]
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert caplog.text.count("made anew") == 1


@pytest.mark.parametrize("last", [0, 15, 30])
def test_a_refused_write_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: Any, last: int) -> None:
    real, writes = os.pwrite, itertools.count()

    def pwrite(file: int, data: Any, offset: int) -> int:
        if next(writes) >= last:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(UserError, match="the disk is full"):
        make_set(VolumeSimulator(**SMALL), 6, 0, tmp_path / "set.h5")
    assert next(writes) > last
    assert not list(tmp_path.iterdir())


def test_a_block_cut_short_by_a_kill_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    Flaky.broken = True
    with pytest.raises(KeyboardInterrupt):
        make_set(Flaky(**SMALL), 10, seed=1, path=path)
    for block in (first := sorted(tmp_path.glob(".*.parts/*.h5")))[:1]:
        block.write_bytes(block.read_bytes()[:1000])
    assert len(first) == 2
    make_set(Flaky(**SMALL), 10, seed=1, path=path)
    whole = make_set(VolumeSimulator(**SMALL), 10, seed=1, path=tmp_path / "other.h5")
    one, other = (VolumeDataset(each)[list(range(10))] for each in (path, whole))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_file_is_dealt_to_splits_and_read_in_any_order(tmp_path: Path) -> None:
    path = make_set(VolumeSimulator(**SMALL), 20, 0, tmp_path / "set.h5")
    data = VolumeDataModule(str(path), {"train": 0.7, "val": 0.2, "test": 0.1}, batch_size=4)
    data.setup("fit")
    assert [data.patterns_in(name) for name in ("train", "val", "test", "predict")] == [14, 4, 2, 20]
    found = torch.cat([batch[FRAME] for batch in data.predict_dataloader()])
    assert found.tolist() == list(range(20))
    whole = data.splits["predict"]
    mixed = whole[[5, 1, 5]]
    assert torch.equal(mixed[PHASE][0], mixed[PHASE][2])
    assert torch.equal(mixed[PHASE][1], whole[[1]][PHASE][0])


def test_other_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file[f"{ENTRY}/{AMPLITUDE}"], file[f"{ENTRY}/{PHASE}"] = np.zeros((2, 4, 4, 4)), np.zeros((2, 4, 4))
    with pytest.raises(UserError, match="not \\(N, z, y, x\\)"):
        VolumeDataset(path)
    with h5py.File(path, "w") as file:
        file["photons"] = np.zeros(3)
    with pytest.raises(UserError, match="photons"):
        VolumeDataset(path)
