"""Features of VGG16 on one core: images per second, from photons to fc6 and fc7, by number of images at a time.

The weights are random, which costs the same as ImageNet's. Beside it: making the images alone, and the ResNet-10 that
stands in. Rates are per second of processor time, so other work on the machine matters little, and by the clock.

Run: python -m benchmarks.vgg16_speed [--images 16] [--rounds 2]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration
from benchmarks.record import write_result
from spi_lightning.tasks.frozen.backbone import FrozenCheckpoint
from spi_lightning.tasks.frozen.vgg16 import FrozenVGG16

CONF = Path(__file__).parents[1] / "conf"
BATCHES = (1, 4, 8, 16)
EDGE, SEED = 128, 0


def patterns(count: int) -> tuple[Tensor, Tensor]:
    """Photons and mask of patterns whose counts fall off from the centre."""
    line = torch.arange(EDGE) - EDGE / 2
    intensity = 30 * torch.exp(-torch.hypot(line[:, None], line) / 15)
    generator = torch.Generator().manual_seed(SEED)
    photons = torch.poisson(intensity.expand(count, 1, EDGE, EDGE), generator)
    return photons, torch.ones(1, 1, EDGE, EDGE, dtype=torch.bool)


def resnet10(folder: Path) -> FrozenCheckpoint:
    """The stand-in with random weights, as han_resnet10 has it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=han_resnet10", f"folder={folder}"])
    task, path = instantiate(cfg.task, _convert_="all"), folder / "resnet10.ckpt"
    torch.save({"state_dict": task.state_dict(), "config": OmegaConf.to_container(cfg, resolve=True)}, path)
    return FrozenCheckpoint(path)


@torch.inference_mode()
def rate(work: Callable[[Tensor, Tensor], Tensor], count: int, rounds: int) -> dict[str, float]:
    """Best images per second of processor time and by the clock, after one round to warm up."""
    photons, mask = patterns(count)
    best = {"per_core_second": 0.0, "per_second": 0.0}
    for number in range(rounds + 1):
        clock, processor = time.perf_counter(), time.process_time()
        work(photons, mask)
        speeds = count / (time.process_time() - processor), count / (time.perf_counter() - clock)
        if number:
            best = {name: max(known, speed) for (name, known), speed in zip(best.items(), speeds, strict=True)}
    return best


def main() -> None:
    """Print the table and write benchmarks/results/vgg16_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    backbone, rows = FrozenVGG16("random"), {}
    for batch in BATCHES:
        backbone.batch_size = batch
        rows[f"VGG16, {batch} at a time"] = rate(backbone, options.images, options.rounds)
    rows["its images alone"] = rate(backbone.view, options.images, 5)
    rows["its images alone, with JPEG"] = rate(FrozenVGG16("random", jpeg=75).view, options.images, 5)
    with tempfile.TemporaryDirectory() as folder:
        rows["ResNet-10 in its place"] = rate(resnet10(Path(folder)), 256, 5)
    table = Table(Column("", no_wrap=True), "images/s per core", "images/s", title="Photons to features, one thread")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[key]:,.2f}" for key in ("per_core_second", "per_second")))
    Console().print(table)
    settings = {"images": options.images, "edge": EDGE, "seed": SEED, "threads": 1}
    print(write_result("vgg16_speed", {**settings, "rows": rows}))


if __name__ == "__main__":
    main()
