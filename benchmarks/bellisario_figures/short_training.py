"""Trainings of a minute, in memory: many of them in the time that one run of spi train takes to start and to write."""

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from benchmarks.doors import ROOT
from spi_lightning.fields import DENSITY, FRAME, STRUCTURE, Batch
from spi_lightning.metrics import SupportMetrics, choose_level, trade_off
from spi_lightning.physics.support import ideal_support
from spi_lightning.tasks import SupportPrediction


def make_task(overrides: list[str]) -> SupportPrediction:
    """The task that spi train would build of these words, with weights of seed 0."""
    torch.manual_seed(0)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=[*overrides, "folder=unused"])
    task: SupportPrediction = instantiate(cfg.task, _convert_="all")
    return task


def fit(task: SupportPrediction, patterns: Batch, steps: int, lr: float, batch: int = 32) -> SupportPrediction:
    """Adam with one cycle of its learning rate; every pass over the patterns in another order."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(task.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, cycle_momentum=False)
    order = torch.empty(0, dtype=torch.int64)
    task.train()
    for _ in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(patterns[FRAME]), generator=generator)
        rows, order = order[:batch], order[batch:]
        drawn = {name: values[rows] for name, values in patterns.items()}
        optimizer.zero_grad()
        torch.autograd.backward(task.losses_of(task(drawn), drawn).mean())
        optimizer.step()
        schedule.step()
    return task.eval()


@torch.inference_mode()
def scores(task: SupportPrediction, patterns: Batch, batch: int = 64) -> Tensor:
    """Score of each pixel, (N, H, W) in [0, 1]."""
    parts = []
    for start in range(0, len(patterns[FRAME]), batch):
        part = {name: values[start : start + batch] for name, values in patterns.items()}
        parts.append(task.score_of(task(part), part))
    return torch.cat(parts)


def judge(task: SupportPrediction, val: Batch, test: Batch, level: float | None = None) -> dict[str, float]:
    """SupportMetrics of test patterns, cut where 97 % of the validation patterns are covered, or at a level."""
    if level is None:
        missed, loose = trade_off(scores(task, val), ideal_support(val[DENSITY][:, 0]))
        level = choose_level(missed, loose)
    score, metrics = scores(task, test), SupportMetrics()
    metrics.update(score > level, score, test[DENSITY][:, 0], test[STRUCTURE])
    return {"level": level, **{name: float(value) for name, value in metrics.compute().items()}}
