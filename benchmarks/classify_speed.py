"""Seconds of ``spi classify`` from start to page, and its peak memory, on 1,000 and 8,000 frames of 256 x 256 pixels.

The frames are the hits and blanks of an experiment of benchmarks/general_classifier (``bricks_250ev``), repeated and
thinned. The command runs in a process of its own without a cache, with all the cores there are. Goal: at most 20 s for
1,000 frames on two cores, and memory that does not grow with the number of frames.

Run: python -m benchmarks.classify_speed [--method general] [--frames 1000 8000] [--folder FOLDER]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np

from benchmarks.general_classifier.experiments import EXPERIMENTS
from benchmarks.general_classifier.facility import opened
from benchmarks.record import read_result, write_result

NAME: Final = "classify_speed"
_FROM: Final = "bricks_250ev"
_BLOCK: Final = 500


def write_frames(path: Path, folder: Path, frames: int) -> None:
    """Frames of the experiment again and again, each time thinned anew, with its mask."""
    experiment = next(each for each in EXPERIMENTS if each.name == _FROM)
    patterns = opened(experiment, folder, experiment.frames)
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("patterns", (frames, *patterns.shape[1:]), np.uint16,
                                     chunks=(1, *patterns.shape[1:]), **hdf5plugin.Bitshuffle(cname="lz4"))  # fmt: skip
        for start in range(0, frames, _BLOCK):
            number = np.arange(start, min(start + _BLOCK, frames)) % len(patterns)
            photons = patterns.read(number).astype(np.int64)
            stored[start : start + len(number)] = random.binomial(photons, random.uniform(0.8, 1.0))
        file["mask"] = (~np.asarray(patterns.read_mask(np.array([0]))[0])).astype(np.uint8)


def measured(path: Path, method: str, folder: Path) -> dict[str, Any]:
    """Wall and processor seconds and peak memory, GB, of one classification in a process of its own."""
    command = [sys.executable, "-m", "spi_lightning", "classify", str(path), "data.mask_convention=bad"]
    command += [f"method=[{method}]", "cache=null", f"out={folder / path.stem}"]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = {"seconds": time.monotonic() - began, "processor_seconds": usage.ru_utime + usage.ru_stime}
    return {**seconds, "gigabytes": usage.ru_maxrss / 1e6, "load": os.getloadavg()[0]}


def main() -> None:
    """Print the numbers and write benchmarks/results/classify_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="general", help="name of shipped weights, or a run folder")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 8000])
    parser.add_argument("--folder", type=Path, default=Path("runs/general_classifier"), help="folder of the experiment")
    wanted = parser.parse_args()
    rows = read_result(NAME).get("rows", {})
    with TemporaryDirectory() as name:
        for frames in wanted.frames:
            path = Path(name) / f"frames_{frames}.h5"
            write_frames(path, wanted.folder, frames)
            rows.setdefault(Path(wanted.method).name, {})[str(frames)] = found = measured(
                path, wanted.method, Path(name)
            )
            print(wanted.method, frames, found, flush=True)
            write_result(NAME, {"rows": rows})


if __name__ == "__main__":
    main()
