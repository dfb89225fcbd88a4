"""Every file of weights in the package: it is that of its card, its numbers are the card's, and damage is found."""

import os
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.locations import WEIGHTS
from spi_lightning.tasks import find_checkpoint, load_task, read_checkpoint
from spi_lightning.weights import held_out_numbers, read_card, shipped_names

SHIP = "python -m benchmarks.ship_weights"
DAMAGED = 12  # bytes that are changed, one after another


@pytest.mark.parametrize("name", shipped_names())
def test_weights_of_the_package_are_those_of_their_card(name: str) -> None:
    card = read_card(name)
    card.require_whole()
    task, config = load_task(find_checkpoint(name), instantiate, pl.LightningModule)
    weights = sum(value.numel() for key, value in task.state_dict().items() if key.startswith("network."))
    assert f"{weights:,}" in card.network
    assert card.results and card.commands and card.domain and card.failures and card.objective
    assert not [text for text in (str(config), str(card)) if "/work" in text or "/tmp" in text or "/home" in text]


def test_all_weights_together_are_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 20e6


@pytest.mark.parametrize("name", shipped_names())
def test_a_changed_byte_is_found_or_changes_nothing(name: str, tmp_path: Path) -> None:
    whole = find_checkpoint(name)
    content, random, before = whole.read_bytes(), np.random.default_rng(0), read_checkpoint(whole)
    header = 8 + int.from_bytes(content[:8], "little")
    places = [0, 7, 8, header - 1, len(content) - 1, *random.integers(8, header, DAMAGED)]
    for place in [*places, *random.integers(header, len(content), DAMAGED)]:
        path = tmp_path / f"{place}.safetensors"
        path.write_bytes(
            content[:place] + bytes([content[place] ^ (1 << int(random.integers(8)))]) + content[place + 1 :]
        )
        try:
            after = read_checkpoint(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        else:
            assert after["config"] == before["config"], place
            assert all(torch.equal(after["state_dict"][key], value) for key, value in before["state_dict"].items())
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_names())
def test_numbers_of_a_card_are_those_of_its_file(name: str, tmp_path: Path) -> None:
    task, config = load_task(find_checkpoint(name), instantiate, pl.LightningModule)
    settings = {**config["data"], "cache_dir": str(tmp_path)}
    if "structures" in config["simulate"] and not Path(os.environ.get("SPI_DATA", "../shared/data"), "pdb").is_dir():
        pytest.skip("its test patterns are of structures that are not here")
    settings["patterns"] = {**settings["patterns"], "train": 0, "val": 0}
    found = held_out_numbers(task, instantiate(settings, _convert_="all"))
    stated = [result for result in read_card(name).results if result.command == SHIP]
    assert stated
    for result in stated:
        assert found[result.measure] == pytest.approx(result.value, rel=2e-3, abs=1e-4), result.measure
        if result.interval is not None:
            low, high = found[f"{result.measure}/low"], found[f"{result.measure}/high"]
            assert [low, high] == pytest.approx(list(result.interval), rel=2e-2, abs=1e-3), result.measure
