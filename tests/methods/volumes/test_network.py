"""Networks refined on one pattern."""

import logging

import pytest
import torch

from spi_lightning.api.configured import refinement_of
from spi_lightning.methods import RefinedNetwork
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import VolumePart

SMALL = {
    "task": {"epochs": 4, "wrapping": None, "polish_steps": 2},
    "network": {"width": 2, "levels": 2},
}


def test_a_refinement_says_nothing_of_lightning_s_accelerators_and_tips(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightning = logging.getLogger("pytorch_lightning")
    monkeypatch.setattr(lightning, "level", logging.INFO)  # as Lightning sets it, whatever ran before in this process
    lightning.addHandler(caplog.handler)
    amplitude = torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(0))
    part = VolumePart(amplitude, torch.ones_like(amplitude, dtype=torch.bool), starts=1, seed=0)
    try:
        runs = RefinedNetwork(refinement_of("wu_untrained", SMALL), device="cpu").answer(part, Listener())
    finally:
        lightning.removeHandler(caplog.handler)
    assert len(runs.density) == 1
    assert not [record for record in caplog.records if record.name.startswith(("pytorch_lightning", "lightning"))]
    assert lightning.level == logging.INFO  # again: what the caller trains is not silenced
