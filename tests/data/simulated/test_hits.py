from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.data import OnlinePatterns, SimulatedHitDataModule
from spi_lightning.data.simulated.hits import hit_batch
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, KIND, MASK, PARTICLE_ID, PHOTONS


class CountingSimulator:
    """Patterns whose first pixel is block * 100 + number; counts how often each block was drawn."""

    shape, block_size = (6, 6), 5

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, torch.Tensor]:
        self.drawn.append(block)
        photons = torch.zeros(5, 6, 6)
        photons[:, 0, 0] = block * 100 + torch.arange(5)
        photons[:, 0, 1] = seed
        label = torch.arange(5) % 2
        return {
            PHOTONS: photons,
            MASK: torch.ones(5, 6, 6, dtype=torch.bool),
            IS_SINGLE_HIT: label,
            KIND: label,
            PARTICLE_ID: torch.full((5,), block),
        }


def test_online_patterns_are_those_of_their_blocks_in_any_order() -> None:
    hits = OnlinePatterns(CountingSimulator(), hit_batch, seed=3)
    batch = hits[[12, 4, 11, 5]]
    assert batch[PHOTONS].shape == batch[MASK].shape == (4, 1, 6, 6)
    assert batch[PHOTONS][:, 0, 0, 0].tolist() == [202, 4, 201, 100]
    assert batch[PARTICLE_ID].tolist() == [2, 0, 2, 1]
    assert batch[FRAME].tolist() == [12, 4, 11, 5]
    assert (batch[PHOTONS][:, 0, 0, 1] == 3).all()


def module(tmp_path: Path, **options: Any) -> SimulatedHitDataModule:
    data = SimulatedHitDataModule(
        CountingSimulator(),
        "any: text",
        {"train": 17, "val": 0, "test": 0},
        cache_dir=str(tmp_path),
        batch_size=4,
        **options,
    )
    data.prepare_data()
    data.setup("fit")
    return data


def test_online_epochs_never_repeat_a_pattern_nor_draw_a_block_twice(tmp_path: Path) -> None:
    data = module(tmp_path, online=True)
    loader = data.train_dataloader()
    frames = [torch.cat([batch[FRAME] for batch in loader]) for _ in range(3)]
    assert [len(epoch) for epoch in frames] == [16, 16, 16]
    assert len(torch.cat(frames).unique()) == 48
    drawn = data.simulator.drawn  # type: ignore[attr-defined]
    assert drawn == sorted(set(drawn))


def test_workers_draw_the_same_patterns(tmp_path: Path) -> None:
    alone, helped = (
        torch.cat([batch[PHOTONS] for batch in module(tmp_path, online=True, num_workers=n).train_dataloader()])
        for n in (0, 2)
    )
    assert torch.equal(alone, helped)


def test_a_gpu_cannot_draw_inside_workers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.num_workers=0"):
        module(tmp_path, online=True, device="cuda", num_workers=1)
