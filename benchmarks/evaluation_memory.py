"""Peak memory and seconds of a default evaluation of 256 frames of 1024 x 1024 pixels.

The frames are rings of 0.5 to 5 photons per pixel at most, stored as 16-bit integers, one chunk a frame. evaluate.py
runs in a process of its own with its default settings, without a cache: photon counts, frame columns, selection,
gallery and page; with --run also a trained network and its occlusion maps.

Run: python -m benchmarks.evaluation_memory [--frames 256] [--pixels 1024] [--run RUN --bin 16]
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

from benchmarks.record import read_result, write_result

EVALUATE = Path(__file__).parents[1] / "evaluate.py"


def write_frames(path: Path, frames: int, pixels: int) -> None:
    """Photon counts (frames, pixels, pixels) of rings around the middle, uint16."""
    generator = np.random.default_rng(0)
    row, column = np.indices((pixels, pixels))
    radius = 1024 / pixels * np.hypot(row - pixels / 2, column - pixels / 2)
    rings = 3 * np.exp(-radius / 80) * (1.2 + np.cos(radius / 20)) + 0.005
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("patterns", (frames, pixels, pixels), "u2", chunks=(1, pixels, pixels))
        for number in range(frames):
            stored[number] = generator.poisson(rings * generator.uniform(0.5, 5))


def main() -> None:
    """Write the frames, evaluate them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=256)
    parser.add_argument("--pixels", type=int, default=1024)
    parser.add_argument("--run", type=Path, help="run folder of a network that answers too")
    parser.add_argument("--bin", type=int, default=16, help="pixels that the network sees as one")
    wanted = parser.parse_args()
    methods = ["method=[photon_count]"]
    if wanted.run:
        methods = [f"method=[photon_count,'{wanted.run.resolve()}']", f"preprocess.bin={wanted.bin}"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frames.h5"
        write_frames(path, wanted.frames, wanted.pixels)
        command = [sys.executable, str(EVALUATE), f"data.path={path}", *methods, "cache=null"]
        began = time.monotonic()
        subprocess.run([*command, f"hydra.run.dir={folder}/run"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    rows = read_result("evaluation_memory").get("rows", {})
    rows["photon_count and a network" if wanted.run else "photon_count"] = {"gigabytes": peak, "seconds": seconds}
    write_result("evaluation_memory", {"frames": wanted.frames, "pixels": wanted.pixels, "rows": rows})
    print(f"{wanted.frames} frames of {wanted.pixels} x {wanted.pixels}: {peak:.2f} GB at the peak, {seconds:.0f} s")


if __name__ == "__main__":
    main()
