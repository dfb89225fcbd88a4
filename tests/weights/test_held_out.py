from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.weights import held_out_numbers
from tests.apps.small_runs import CONF
from tests.test_experiments import shrink

FIRST = {
    "han_resnet10": "auroc",
    "bellisario_support": "covered",
    "bellisario_density": "covered",
    "bellisario_healing": "error",
    "wu_supervised": "eq_6_either_twin",
}


@pytest.mark.parametrize("experiment", FIRST)
def test_numbers_are_those_of_the_test_with_intervals_around_them(experiment: str, tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"experiment={experiment}", f"folder={tmp_path}", "tracking=disabled"])
    shrink(cfg, tmp_path)
    OmegaConf.resolve(cfg.data)
    cfg.data.patterns.update({"train": 0, "test": 16})
    torch.manual_seed(0)
    task, data = instantiate(cfg.task, _convert_="all"), instantiate(cfg.data, _convert_="all")
    numbers = held_out_numbers(task, data, calibrate=True)
    assert next(iter(numbers)) == FIRST[experiment]
    means = {name: value for name, value in numbers.items() if "/" not in name and value is not None}
    for name, value in means.items():
        assert value == pytest.approx(task.results[f"test/{name}"], rel=1e-5, abs=1e-6), name
        low, high = (numbers[f"{name}/{end}"] for end in ("low", "high"))
        assert low is None or (high is not None and low <= value <= high), name
    again = held_out_numbers(task, data)
    assert again == pytest.approx(numbers)
