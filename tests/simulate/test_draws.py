"""Ranges of recipes: two numbers, or one that is fixed."""

from pathlib import Path

import pytest
import torch

from spi_lightning import UserError, simulate_patterns
from spi_lightning.settings.fitting import misfit_of
from spi_lightning.simulate import GeometryRecipe
from spi_lightning.simulate.draws import Range, WholeRange
from spi_lightning.simulate.particles.crystals import CrystalRecipe
from tests.apps.in_process import status


def test_one_number_is_a_fixed_range() -> None:
    recipe = GeometryRecipe(distance=0.58, pixel_size=(1e-4, 2e-4))  # type: ignore[arg-type]
    assert recipe.distance == (0.58, 0.58) and recipe.pixel_size == (1e-4, 2e-4)
    drawn = recipe.draw(5, (8, 8), torch.Generator().manual_seed(0))
    assert (drawn.distance == torch.tensor(0.58)).all()
    assert CrystalRecipe(families={"111": 1.0}).families == {"111": (1.0, 1.0)}  # type: ignore[dict-item]


def test_a_range_is_checked_after_one_number_was_taken() -> None:
    with pytest.raises(UserError, match="size"):
        CrystalRecipe(size=1.5)  # type: ignore[arg-type]


def test_a_setting_takes_a_number_or_a_rising_list() -> None:
    assert misfit_of(0.58, Range) is None and misfit_of([1, 2.5], Range) is None and misfit_of(3, WholeRange) is None
    assert str(misfit_of("far", Range)) == "=far must be a number or a list such as [1,2]"
    assert str(misfit_of(2.5, WholeRange)) == "=2.5 must be a whole number or a list such as [1,2]"
    assert str(misfit_of([2, 1], Range)) == "=[2,1] must be the lower value, then the higher"


def test_one_number_is_a_range_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    patterns = simulate_patterns("hits", 2, shape=[32, 32], geometry__pixel_size=1e-3, block_size=2)
    assert patterns.geometry["pixel_size"] == pytest.approx([1e-3, 1e-3])
    words = ("simulate.geometry.pixel_size=6e-4", "simulate.shape=[32,32]", "simulate.block_size=2", "examples=0")
    assert status("simulate", "patterns=2", f"out={tmp_path}/a.cxi", *words) == 0
