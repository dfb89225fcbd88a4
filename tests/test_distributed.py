"""Shards, device, memory allocator and errors of launched processes."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spi_lightning.distributed import (
    equal_shard,
    find_device,
    first_process,
    launched,
    leave,
    left,
    shard,
    shared_line,
)
from spi_lightning.errors import UserError


@pytest.mark.parametrize(("items", "processes"), [(10, 3), (2, 4), (8, 2), (0, 2)])
def test_every_item_goes_to_one_process(items: int, processes: int) -> None:
    shares = [shard(range(items), rank, processes) for rank in range(processes)]
    assert sorted(item for share in shares for item in share) == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_equal_shares_in_order() -> None:
    assert [list(equal_shard(range(7), rank, 3)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_a_device_that_is_not_there_is_a_user_error() -> None:
    with pytest.raises(UserError, match="device=tpu9 is not available here"):
        find_device("tpu9")
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda")


COUNT_FAULTS = """
import resource, torch
from spi_lightning.distributed import keep_freed_memory
torch.set_num_threads(1)

def work():
    arrays = [torch.rand(100, 128, 128) for _ in range(6)]
    return arrays[0] * 2 + 1

if {keep}:
    assert keep_freed_memory()
for _ in range(5):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a switch of glibc")
def test_large_arrays_that_come_and_go_stop_costing_page_faults() -> None:
    def faults(keep: bool) -> int:
        return int(subprocess.check_output([sys.executable, "-c", COUNT_FAULTS.format(keep=keep)]))

    tries = [(faults(False), faults(True))]
    while tries[-1][1] >= 0.1 * tries[-1][0] and len(tries) < 4:  # a busy system takes pages away by itself
        tries.append((faults(False), faults(True)))
    assert tries[-1][1] < 0.1 * tries[-1][0], tries


HOLES = """
import numpy as np
from spi_lightning.distributed import keep_freed_memory, return_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

keep_freed_memory()
blocks = [(np.ones(1 << 17), np.ones(8)) for _ in range(300)]  # 1 MB each, and a small one behind
kept = [small for _, small in blocks]
del blocks
before = resident()
assert return_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a call of glibc")
def test_freed_blocks_between_kept_ones_can_be_handed_back() -> None:
    assert float(subprocess.check_output([sys.executable, "-c", HOLES])) > 200  # MB of 300


LEAVE = "from spi_lightning.distributed import *; assert launched(); leave('first'); leave('second')"


def test_the_first_line_of_a_launched_process_reaches_the_first_process() -> None:
    assert not launched() and left() is None
    with first_process():
        assert not launched()
        subprocess.run([sys.executable, "-c", LEAVE], check=True, env=dict(os.environ))
        assert left() == "first"
    assert left() is None


def test_a_fault_of_the_program_leaves_no_message_for_other_processes() -> None:
    with first_process():
        leave(None)
        assert left() is None


@pytest.mark.parametrize(
    ("error", "lost"), [(RuntimeError("Connection reset by peer"), True), (ValueError("Broken pipe"), False)]
)
def test_a_launched_process_leaves_its_line_and_is_silent_on_lost_connections(
    error: Exception, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared_line("a mistake", error) == "a mistake" and shared_line(None, error) is None
    monkeypatch.setenv("SPI_LIGHTNING_ERRORS", f"{os.getpid() + 1}:{tmp_path / 'line'}")
    assert shared_line(None, error) == ("" if lost else None)
    assert shared_line("a mistake", error) == "" and (tmp_path / "line").read_text() == "a mistake"
