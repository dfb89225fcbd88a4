"""Classification from an HDF5 file: patterns per second at 64 x 64 and 128 x 128, against its two bounds.

The bounds are (i) h5py reading the same data set in the same pieces and doing nothing with it, and (ii) the bare
network on preprocessed tensors in memory. Classification reads, checks, masks, preprocesses, computes and collects; a
thread reads ahead while the network computes, so it can come near the slower of the two. One thread computes.

Run: python -m benchmarks.classification_throughput [--patterns 4096] [--rounds 3] [--device cuda]
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Column, Table

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration
from benchmarks.record import write_result
from spi_lightning.data.simulated.making import make_set
from spi_lightning.distributed import keep_freed_memory
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.methods import CheckpointMethod
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitPart

CONF = Path(__file__).parents[1] / "conf"
EXPERIMENTS = {"tiny_cnn": "shi_tiny_cnn", "resnet10": "han_resnet10"}
SIZES = (64, 128)
BATCH, SEED = 64, 0
TARGET = 0.8
Work = Callable[[Path], int]  # file -> patterns done


def simulated_file(folder: Path, size: int, patterns: int) -> PatternFile:
    """A CXI file with one mask, gzip as a facility writes it."""
    overrides = [f"shape=[{size},{size}]", f"geometry.pixel_size=[{0.0768 / size},{0.0768 / size}]"]
    one_mask = ["bad_pixels.hole=[8,8]", "bad_pixels.gap=[2,2]", "bad_pixels.shift=0"]
    with initialize_config_dir(str(CONF / "simulate"), version_base="1.3"):
        simulator = instantiate(compose("hits", overrides=[*overrides, *one_mask]), _convert_="all")
    return open_patterns(make_set(simulator, patterns, SEED, folder / f"{size}.cxi"))


def untrained_method(folder: Path, network: str, size: int, device: str) -> CheckpointMethod:
    """What spi evaluate makes of a checkpoint; the weights do not matter here."""
    overrides = [f"experiment={EXPERIMENTS[network]}", f"preprocess.bin={size // 64}", f"folder={folder}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    task, path = instantiate(cfg.task, _convert_="all"), folder / f"{network}_{size}.ckpt"
    torch.save({"state_dict": task.state_dict(), "config": OmegaConf.to_container(cfg, resolve=True)}, path)
    return CheckpointMethod(network, path, instantiate, batch_size=BATCH, device=device)


def classify(method: CheckpointMethod) -> Work:
    """What spi evaluate does with a file."""
    return lambda path: len(method.answer(HitPart("", None, open_patterns(path)), Listener()).score)


def read_only(path: Path) -> int:
    """Bound (i): h5py alone."""
    step = open_patterns(path).frames_at_once()
    with h5py.File(path) as file:
        data = file["/entry_1/data_1/data"]
        return sum(len(data[start : start + step]) for start in range(0, len(data), step))


def network_only(method: CheckpointMethod, patterns: PatternFile) -> Work:
    """Bound (ii): the network alone, on one preprocessed batch again and again."""
    photons = torch.from_numpy(patterns.read(range(BATCH)))[:, None].to(method.device)
    mask = torch.from_numpy(patterns.read_mask(range(BATCH)).copy())[:, None].to(method.device)
    ready, batches = method.task.preprocess({PHOTONS: photons, MASK: mask}), -(-len(patterns) // BATCH)

    @torch.inference_mode()
    def compute(_: Path) -> int:
        return sum(len(method.task.network(ready).cpu()) for _ in range(batches))

    return compute


def rates(work: dict[str, Work], file: PatternFile, rounds: int) -> dict[str, dict[str, float]]:
    """Best patterns/s of each piece of work by the clock, and per second of processor time; rounds alternate.

    Every run gets a copy of the file of its own, or HDF5 would hand out what it unpacked in the run before.
    """
    best = {name: {"per_second": 0.0, "per_core_second": 0.0} for name in work}
    for number in range(rounds + 1):  # the first one warms up
        for name, run in work.items():
            path = Path(shutil.copy(file.path, file.path.with_name(f"{file.path.stem}_{name}_{number}.cxi")))
            clock, processor = time.perf_counter(), time.process_time()
            patterns = run(path)
            speeds = patterns / (time.perf_counter() - clock), patterns / (time.process_time() - processor)
            path.unlink()
            if number:
                best[name] = {key: max(best[name][key], speed) for key, speed in zip(best[name], speeds, strict=True)}
    return best


def measure(folder: Path, patterns: int, rounds: int, device: str) -> dict[str, dict[str, Any]]:
    """All rows: network and size -> rates of classification and of its bounds."""
    rows = {}
    for size in SIZES:
        file = simulated_file(folder, size, patterns)
        for network in EXPERIMENTS:
            method = untrained_method(folder, network, size, device)
            work = {"classification": classify(method), "h5py": read_only, "network": network_only(method, file)}
            found = rates(work, file, rounds)
            slower = min(found["h5py"]["per_second"], found["network"]["per_second"])
            rows[f"{network} {size}²"] = {
                **found,
                "of_slower_bound": found["classification"]["per_second"] / slower,
            }
    return rows


def main() -> None:
    """Print the table and write benchmarks/results/classification_throughput[_device].json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patterns", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.patterns, options.rounds, options.device)
    columns = ("patterns/s", "per core", "h5py", "net", "of h5py", "of net", "of slower")
    table = Table(
        Column("", no_wrap=True),
        *columns,
        title=f"Classification from an HDF5 file, {options.device}, batches of {BATCH}",
    )
    for name, row in rows.items():
        speeds = [row[part]["per_second"] for part in ("classification", "h5py", "network")]
        displayed = (speeds[0], row["classification"]["per_core_second"], *speeds[1:])
        parts = (*(speeds[0] / bound for bound in speeds[1:]), row["of_slower_bound"])
        table.add_row(name, *(f"{speed:,.0f}" for speed in displayed), *(f"{part:.0%}" for part in parts))
    console = Console()
    console.print(table)
    console.print(f"target: at least {TARGET:.0%} of the slower bound; one thread computes, one reads")
    suffix = "" if options.device == "cpu" else f"_{options.device.split(':')[0]}"
    settings = {"seed": SEED, "patterns": options.patterns, "batch": BATCH, "device": options.device, "threads": 1}
    print(write_result(f"classification_throughput{suffix}", {**settings, "rows": rows}))


if __name__ == "__main__":
    main()
