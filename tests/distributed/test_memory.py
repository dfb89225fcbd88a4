import platform
import subprocess
import sys

import pytest

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
