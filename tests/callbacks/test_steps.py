from types import SimpleNamespace
from typing import Any, cast

import torch

from spi_lightning.callbacks import SeedEveryStep


def draw(step: int, batch: int = 0, rank: int = 0, seed: int = 0) -> torch.Tensor:
    trainer = cast(Any, SimpleNamespace(global_step=step, global_rank=rank))
    SeedEveryStep(seed).on_train_batch_start(trainer, cast(Any, None), None, batch)
    return torch.rand(4)


def test_only_seed_step_batch_and_process_decide() -> None:
    first = draw(7)
    torch.rand(100)  # whatever was drawn in between
    assert torch.equal(draw(7), first)
    assert not any(
        torch.equal(draw(**other), first)
        for other in ({"step": 8}, {"step": 7, "batch": 1}, {"step": 7, "rank": 1}, {"step": 7, "seed": 1})
    )
