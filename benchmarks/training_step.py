"""A training step by Lightning against the same step in a bare torch loop: ResNet-10, 64 x 64, batch 64.

Both read the same batches of a simulated set, preprocess, step Adam and the schedule. Rounds alternate, and seconds are
of this process's own time on the processor, so that another load on the machine counts little.

Run: python -m benchmarks.training_step [--experiment shi_tiny_cnn] [--rounds 3]
"""

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration
from benchmarks.record import write_result
from spi_lightning.callbacks import SeedEveryStep
from spi_lightning.distributed import keep_freed_memory

CONF = Path(__file__).parents[1] / "conf"
BATCH, STEPS, WARM_UP = 64, 30, 5
TARGET = 0.05


class Clock(pl.Callback):
    """Notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """One step is done, the next batch not yet read."""
        self.ends.append(time.process_time())


def configuration(experiment: str, folder: str) -> DictConfig:
    """An experiment with a written set of few patterns."""
    data = f"data.patterns={{train:{BATCH * STEPS},val:0,test:0}}"
    overrides = [f"experiment={experiment}", f"folder={folder}", f"data.cache_dir={folder}", "data.online=false", data]
    steps = [f"trainer.max_steps={STEPS}", f"data.batch_size={BATCH}", "data.num_workers=0", "data.augment=none"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*overrides, *steps, "tracking=disabled"])


def lightning_steps(cfg: DictConfig, data: pl.LightningDataModule) -> list[float]:
    """Seconds of each step of Trainer.fit, callbacks of spi train included, without checkpoints, logs and bars."""
    clock, task = Clock(), instantiate(cfg.task, _convert_="all")
    trainer = instantiate(cfg.trainer, _partial_=True)(
        logger=False,
        callbacks=[SeedEveryStep(0), clock],
        enable_checkpointing=False,
        enable_progress_bar=False,
        limit_val_batches=0,
    )
    trainer.fit(task, data)
    return durations(clock.ends)


def bare_steps(cfg: DictConfig, data: Any) -> list[float]:
    """Seconds of each step of a plain loop over the same batches."""
    task = instantiate(cfg.task, _convert_="all").train()
    optimizer = task.make_optimizer(task.network.parameters())
    schedule = task.make_schedule(optimizer)
    order, ends = data.training_order(0), []
    for step in range(STEPS):
        batch = data.splits["train"][order[step * BATCH : (step + 1) * BATCH]]
        optimizer.zero_grad()
        loss = task.loss(task.network(task.preprocess(batch)), batch["is_single_hit"]).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        ends.append(time.process_time())
    return durations(ends)


def durations(ends: list[float]) -> list[float]:
    """Seconds between the ends of steps, without the first ones."""
    return [after - before for before, after in zip(ends[WARM_UP:-1], ends[WARM_UP + 1 :], strict=True)]


def main() -> None:
    """Print the table and write benchmarks/results/training_step.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="han_resnet10")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    times: dict[str, list[float]] = {"bare torch loop": [], "Lightning": []}
    with tempfile.TemporaryDirectory() as folder:
        cfg = configuration(options.experiment, folder)
        data = instantiate(cfg.data, _convert_="all")
        data.prepare_data()
        data.setup("fit")
        for _ in range(options.rounds):
            times["bare torch loop"] += bare_steps(cfg, data)
            times["Lightning"] += lightning_steps(cfg, data)
    medians = {name: statistics.median(values) for name, values in times.items()}
    overhead = medians["Lightning"] / medians["bare torch loop"] - 1
    title = f"{options.experiment}: step of {BATCH} patterns of 64 x 64, one core"
    table = Table("", "ms a step, median", "patterns/s", title=title)
    for name, seconds in medians.items():
        table.add_row(name, f"{1e3 * seconds:.1f}", f"{BATCH / seconds:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"overhead {overhead:+.1%} (target: at most {TARGET:.0%})")
    settings = {
        "experiment": options.experiment,
        "threads": 1,
        "batch": BATCH,
        "steps": len(times["Lightning"]),
    }
    name = "training_step" if options.experiment == "han_resnet10" else f"training_step_{options.experiment}"
    print(write_result(name, {**settings, "seconds_per_step": medians, "overhead": overhead}))


if __name__ == "__main__":
    main()
