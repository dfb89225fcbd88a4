"""Simulated sets: the same whatever the workers, resumed after interruption, whole or not there."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.data.simulated.making import cached_set, make_set
from spi_lightning.data.simulated.parts import WorkerKilledError, plan_parts
from spi_lightning.data.simulated.set_files import PatternSet
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import fingerprint
from spi_lightning.io import CxiWriter, open_patterns


class TinySimulator:
    """Poisson photons of a flat field: the interface of a simulator, in microseconds."""

    def __init__(self, mean: float = 2.0, shape: tuple[int, int] = (8, 6), block_size: int = 5) -> None:
        self.mean, self.shape, self.block_size = mean, shape, block_size
        self.mask = torch.ones(shape, dtype=torch.bool)
        self.mask[0] = False
        self._drawn: list[int] = []

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"_drawn": []}

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        self._drawn.append(block)
        n, generator = self.block_size, torch.Generator().manual_seed(seed * 1000 + block)
        photons = torch.poisson(torch.full((n, *self.shape), self.mean), generator) * self.mask
        one = torch.ones(n)
        return {
            fields.PHOTONS: photons,
            fields.MASK: self.mask.expand(n, *self.shape),
            fields.IS_SINGLE_HIT: torch.arange(n) % 2,
            fields.PARTICLE_ID: block * n + torch.arange(n),
            fields.ORIENTATION: torch.randn(n, 4, generator=generator),
            fields.PHOTON_ENERGY: 1500 + torch.rand(n, generator=generator),
            fields.DISTANCE: 0.5 * one,
            fields.PIXEL_SIZE: 6e-4 * one,
        }


class Interrupted(TinySimulator):
    """Is interrupted, as by Ctrl-C, at one block."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        if block == self._at:
            raise KeyboardInterrupt
        return super().__call__(block, seed, device)


class Slow(TinySimulator):
    """Takes 50 ms a block, long enough to be stopped on the way."""

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        time.sleep(0.05)
        return super().__call__(block, seed, device)


class Deadly(TinySimulator):
    """Kills the process that draws its 40th block, as the system does when memory is short."""

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        if block == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(block, seed, device)


class Noisy(TinySimulator):
    """Does not compress."""

    def __init__(self) -> None:
        super().__init__(3000.0, (64, 64))


SCRIPT = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location({__name__!r}, {__file__!r})
sys.modules[spec.name] = here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
try:
    here.make_set(getattr(here, sys.argv[1])(), 400, 1, sys.argv[2], workers=2)
except here.UserError as error:
    sys.exit(f"error: {{error}}")
"""


def whole(path: Path) -> dict[str, np.ndarray]:
    """Everything a set holds."""
    file = open_patterns(path)
    return {
        "photons": file.read(np.arange(len(file))),
        "mask": np.asarray(file.mask),
        **file.labels,
        **{name: np.asarray(value) for name, value in file.geometry.items()},
    }


def assert_same(first: Path, second: Path) -> None:
    one, other = whole(first), whole(second)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Starts the script above in a process group of its own; whatever is left of it is killed in the end."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    started: list[subprocess.Popen[str]] = []

    def run(simulator: str, path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), simulator, str(path)]
        started.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until something is so, or the process has failed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert not process.poll() or process.returncode == -signal.SIGKILL, process.stderr.read()
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def parts(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{path.name}.*.parts/*.cxi"))


def test_a_set_is_valid_cxi_with_labels_beside(tmp_path: Path) -> None:
    simulator, path = TinySimulator(), tmp_path / "new" / "set.cxi"
    assert make_set(simulator, 23, 3, path, config={"mean": 2.0}) == path
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 160
        assert file["/entry_1/data_1/data"].shape == (23, 8, 6)
        assert file["/entry_1/instrument_1/detector_1/mask"].shape == (8, 6)
        assert file["/entry_1/instrument_1/source_1/energy"][0] == pytest.approx(1500 * 1.602e-19, rel=1e-3)
        assert file.attrs["seed"] == 3
        assert "mean: 2.0" in file.attrs["simulate_config"]
        assert file.attrs["spi_lightning_version"]
    drawn = [simulator(block, 3) for block in range(5)]
    for name, values in whole(path).items():
        expected = torch.cat([block[name] for block in drawn])[:23].numpy()
        if name == fields.MASK or (expected == expected[:1]).all():
            expected = expected[0]
        np.testing.assert_allclose(values, expected, rtol=1e-6, err_msg=name)
    assert {entry.name for entry in path.parent.iterdir()} <= {"set.cxi", ".set.cxi.lock"}


def test_workers_and_length_do_not_change_the_patterns(tmp_path: Path) -> None:
    torch.ones(500, 500) @ torch.ones(500, 500)  # the parent has used torch before
    make_set(TinySimulator(), 400, 1, tmp_path / "two.cxi", workers=2)
    make_set(TinySimulator(), 400, 1, tmp_path / "one.cxi")
    assert_same(tmp_path / "one.cxi", tmp_path / "two.cxi")
    make_set(TinySimulator(), 12, 1, tmp_path / "short.cxi")
    np.testing.assert_array_equal(whole(tmp_path / "short.cxi")["photons"], whole(tmp_path / "one.cxi")["photons"][:12])


def test_bright_pixels_get_a_wider_type(tmp_path: Path) -> None:
    make_set(TinySimulator(mean=1e5), 5, 0, tmp_path / "set.cxi")
    assert whole(tmp_path / "set.cxi")["photons"].max() > 2**16


def test_a_resumed_run_keeps_finished_parts(tmp_path: Path) -> None:
    path, interrupted = tmp_path / "set.cxi", Interrupted(at=13)
    with pytest.raises(KeyboardInterrupt):
        make_set(interrupted, 100, 0, path)
    assert not path.exists()
    assert interrupted._drawn == list(range(13))
    interrupted._at, interrupted._drawn = -1, []
    kept = len(parts(path))
    assert kept == 6
    make_set(interrupted, 100, 0, path)
    assert interrupted._drawn == list(range(2 * kept, 20))
    make_set(TinySimulator(), 100, 0, tmp_path / "uninterrupted.cxi")
    assert_same(path, tmp_path / "uninterrupted.cxi")


def test_parts_of_other_settings_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "set.cxi"
    with pytest.raises(KeyboardInterrupt):
        make_set(Interrupted(at=13), 100, 0, path)
    other = TinySimulator(mean=5.0)
    make_set(other, 100, 0, path)
    assert other._drawn == list(range(20))
    assert not parts(path)


@pytest.mark.parametrize("damage", [b"", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: bytes) -> None:
    path, simulator = tmp_path / "set.cxi", Interrupted(at=13)
    with pytest.raises(KeyboardInterrupt):
        make_set(simulator, 100, 0, path)
    parts(path)[2].write_bytes(damage)
    simulator._at, simulator._drawn = -1, []
    make_set(simulator, 100, 0, path)
    assert simulator._drawn[:3] == [4, 5, 12]


def test_sigkill_leaves_nothing_that_is_read_later(tmp_path: Path, start) -> None:
    path = tmp_path / "set.cxi"
    process = start("Slow", path)
    wait_for(lambda: len(parts(path)) >= 2, process)
    process.kill()
    wait_for(lambda: not members(process.pid), process, 10)  # workers end themselves
    assert not path.exists()
    finished = parts(path)
    assert finished
    for part in finished:
        assert len(open_patterns(part).read(np.arange(50))) == 50
    (finished[0].parent / ".00000099.cxi.1.part").write_bytes(b"half")
    (tmp_path / ".set.cxi.1.part").write_bytes(b"half")
    again = Slow()
    make_set(again, 400, 1, path)
    assert len(again._drawn) == 80 - 10 * len(finished)  # another process named the parts as this one does
    make_set(TinySimulator(), 400, 1, tmp_path / "uninterrupted.cxi")
    assert_same(path, tmp_path / "uninterrupted.cxi")
    assert not list(tmp_path.glob(".*.part*"))


def test_ctrl_c_stops_all_processes_and_keeps_what_is_finished(tmp_path: Path, start) -> None:
    path = tmp_path / "set.cxi"
    process = start("Slow", path)
    wait_for(lambda: len(parts(path)) >= 1, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert errors.count("Traceback") <= 1
    assert not members(process.pid)
    assert not path.exists()
    assert parts(path)
    assert not list(tmp_path.rglob(".*.part"))


def test_a_killed_worker_is_one_line_and_its_fellows_stop(tmp_path: Path) -> None:
    with pytest.raises(WorkerKilledError, match="a simulating process was killed"):
        make_set(Deadly(), 400, 1, tmp_path / "set.cxi", workers=2)
    assert parts(tmp_path / "set.cxi")
    assert issubclass(WorkerKilledError, UserError)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: h5py.Dataset, where: object, values: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(h5py.Dataset, "__setitem__", full)
    with pytest.raises(UserError, match="disk is full"):
        make_set(TinySimulator(), 100, 0, tmp_path / "set.cxi")
    assert {entry.name for entry in tmp_path.iterdir()} <= {".set.cxi.lock"}


def test_a_really_full_disk(tmp_path: Path) -> None:
    alone = [shutil.which("unshare") or "false", "--user", "--map-root-user", "--mount"]
    mount, script = f"mount -t tmpfs -o size=100k tmpfs {tmp_path}/disk", tmp_path / "script.py"
    (tmp_path / "disk").mkdir()
    if subprocess.run([*alone, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    script.write_text(SCRIPT)
    make = f"{sys.executable} {script} Noisy {tmp_path}/disk/set.cxi; echo status $?; ls -A {tmp_path}/disk"
    command = [*alone, "sh", "-c", f"{mount} && {make}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() in (["status", "1"], ["status", "1", ".set.cxi.lock"]), done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_set_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = make_set(TinySimulator(), 10, 0, tmp_path / "set.cxi")
    with pytest.raises(UserError, match=r"set\.cxi exists already.*overwrite=true"):
        make_set(TinySimulator(), 20, 0, path)
    make_set(TinySimulator(), 20, 0, path, overwrite=True)
    assert len(open_patterns(path)) == 20
    path.write_bytes(path.read_bytes()[:3000])
    make_set(TinySimulator(), 10, 0, path, overwrite=True)
    assert len(open_patterns(path)) == 10


@pytest.mark.parametrize("name", ["config.yaml", "predictions.h5", "."])
def test_only_sets_are_overwritten(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "predictions.h5", "w") as file:
        file["frame"] = [1]
    (tmp_path / "config.yaml").write_text("a: 1")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(UserError, match="replaces simulated sets, and this is none"):
        make_set(TinySimulator(), 10, 0, tmp_path / name, overwrite=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_two_runs_do_not_make_the_same_set(tmp_path: Path) -> None:
    with (
        filelock.FileLock(tmp_path / ".set.cxi.lock"),
        pytest.raises(UserError, match=r"set\.cxi is being written by another run"),
    ):
        make_set(TinySimulator(), 10, 0, tmp_path / "set.cxi")


def test_processes_that_ask_at_once_get_one_cached_set(tmp_path: Path) -> None:
    simulator = TinySimulator()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: cached_set({"a": 1}, simulator, 50, 0, tmp_path / "cache"), range(2)))
    assert found[0] == found[1]
    assert sorted(simulator._drawn) == list(range(10))
    simulator._drawn.clear()
    cached_set({"a": 1}, simulator, 50, 0, tmp_path / "cache")
    assert not simulator._drawn


def test_a_cached_set_is_named_by_all_that_decides_it(tmp_path: Path) -> None:
    def name(config: dict[str, int], simulator: TinySimulator, patterns: int, seed: int) -> str:
        return cached_set(config, simulator, patterns, seed, tmp_path).name

    masked = TinySimulator()
    masked.mask[:, 1] = False
    names = [
        name({"a": 1}, TinySimulator(), 5, 0),
        name({"a": 2}, TinySimulator(), 5, 0),
        name({"a": 1}, TinySimulator(mean=3.0), 5, 0),
        name({"a": 1}, masked, 5, 0),
        name({"a": 1}, TinySimulator(), 6, 0),
        name({"a": 1}, TinySimulator(), 5, 1),
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("setting", [{"compression": "zip"}, {"device": "nowhere"}, {"device": "cuda:99"}])
def test_a_wrong_setting_is_refused_before_anything_is_drawn(tmp_path: Path, setting: dict[str, str]) -> None:
    simulator = TinySimulator()
    with pytest.raises(UserError, match=next(iter(setting.values()))) as caught:
        make_set(simulator, 10, 0, tmp_path / "set.cxi", **setting)
    assert "\n" not in str(caught.value)
    assert not simulator._drawn


@pytest.mark.parametrize(
    ("patterns", "workers", "where", "says"),
    [
        (0, 1, "set.cxi", "patterns=0"),
        (5, 0, "set.cxi", "workers=0"),
        (5, 1, "file/set.cxi", "cannot be written"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, patterns: int, workers: int, where: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=says) as caught:
        make_set(TinySimulator(), patterns, 0, tmp_path / where, workers)
    assert "\n" not in str(caught.value)


def test_parts_cover_the_set_once(tmp_path: Path) -> None:
    for patterns in (1, 5, 6, 99, 100, 1001):
        planned = plan_parts(PatternSet(TinySimulator()), patterns, tmp_path)
        assert [block for part in planned for block in part.blocks] == list(range(-(-patterns // 5)))
        assert sum(part.patterns for part in planned) == patterns
        assert min(part.patterns for part in planned) > 0


def test_the_fingerprint_sees_content_and_not_order() -> None:
    assert fingerprint({"a": 1, "b": (2, None)}) == fingerprint({"b": [2, None], "a": 1})
    assert fingerprint(torch.ones(2)) != fingerprint(torch.zeros(2))
    assert fingerprint(np.ones(2)) != fingerprint(np.ones((2, 1)))


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_kept_set_that_was_cut_short_is_made_anew(tmp_path, caplog, left) -> None:
    config = {"name": "counting"}
    path = cached_set(config, TinySimulator(), 10, 3, tmp_path)
    whole = open_patterns(path, check=False).read(range(10))
    path.write_bytes(path.read_bytes()[:left])
    assert cached_set(config, TinySimulator(), 10, 3, tmp_path) == path
    np.testing.assert_array_equal(open_patterns(path, check=False).read(range(10)), whole)
    assert caplog.text.count("made anew") == 1


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_kept_set_with_a_changed_bit_is_made_anew(tmp_path, caplog, where) -> None:
    path = cached_set({}, TinySimulator(), 10, 3, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, int(where * len(whole))))
    cached_set({}, TinySimulator(), 10, 3, tmp_path)
    again = open_patterns(path, check=False)
    fresh = open_patterns(cached_set({}, TinySimulator(), 10, 3, tmp_path / "other"), check=False)
    np.testing.assert_array_equal(again.read(range(10)), fresh.read(range(10)))
    for name, values in fresh.labels.items():
        np.testing.assert_array_equal(again.labels[name], values)
    assert "made anew" in caplog.text


def test_a_kept_set_from_before_checksums_gets_one(tmp_path, caplog) -> None:
    path = cached_set({}, TinySimulator(), 10, 3, tmp_path)
    checksum = path.with_name(f"{path.name}.sha256")
    before, made = checksum.read_text(), path.stat().st_mtime_ns
    checksum.unlink()
    cached_set({}, TinySimulator(), 10, 3, tmp_path)
    assert (checksum.read_text(), path.stat().st_mtime_ns, caplog.text) == (before, made, "")


def flipped(content: bytes, at: int) -> bytes:
    """Content with one bit changed."""
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


@pytest.mark.parametrize(
    "name", ["labels_1/is_single_hit", "instrument_1/detector_1/mask", "instrument_1/source_1/energy"]
)
def test_labels_mask_and_geometry_of_a_set_carry_checksums(tmp_path, name) -> None:
    path = make_set(TinySimulator(), 10, 3, tmp_path / "set.cxi")
    with h5py.File(path) as file:
        values = file[f"entry_1/{name}"]
        assert values.fletcher32
        chunk = values.id.get_chunk_info(0)
    path.write_bytes(flipped(path.read_bytes(), chunk.byte_offset + chunk.size // 2))
    with pytest.raises(UserError, match=r"set\.cxi"):
        opened = open_patterns(path)
        assert opened.labels and opened.geometry and opened.read_mask(range(10)).all()


@pytest.mark.parametrize("compression", ["none", "gzip", "bitshuffle"])
def test_a_changed_bit_of_a_set_is_found_when_it_is_read(tmp_path, compression) -> None:
    path = tmp_path / "set.cxi"
    counts = np.random.default_rng(0).integers(0, 60000, (4, 64, 64))
    with CxiWriter(path, (64, 64), 4, "uint16", compression=compression) as cxi:
        cxi.write(0, counts)
    with h5py.File(path) as file:
        chunk = file["entry_1/instrument_1/detector_1/data"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"set\.cxi"):
        open_patterns(path, check=False).read(range(4))
