"""Sizes and edges of simulated particles, matched to the hits of a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.data.survey.matching import match
from spi_lightning.data.survey.recipe import write_recipe
from spi_lightning.data.survey.sample import samples
from spi_lightning.data.survey.survey import Survey
from tests.data.survey.test_survey import found, simulator  # noqa: F401  fixture


def test_matched_particles_are_as_large_as_the_hits(found: Survey, tmp_path: Path) -> None:  # noqa: F811
    small = simulator(write_recipe(found, tmp_path / "tuned.yaml", ["sphere"]), "simulate.scene.particle.stretch=0")
    particle = replace(small.scene.particle, diameter=(0.83, 0.87), edge_blur=(0.1, 0.12))
    small = replace(small, scene=replace(small.scene, particle=particle))
    matched = match(found, small)
    assert matched is not None
    assert matched.factor == pytest.approx(1 / 0.85, rel=0.06) and matched.edge_blur[1] < 0.1
    path = write_recipe(found, tmp_path / "tuned.yaml", ["sphere"], matched)
    assert "edge_blur" in path.read_text() and "as large as to measured ones" in path.read_text()
    measured, drawn = samples(found, simulator(path)(0, 0))
    assert np.median(drawn.size) / np.median(measured.size) > 0.9


def test_too_few_hits_with_rings_are_not_matched(found: Survey, tmp_path: Path) -> None:  # noqa: F811
    few = replace(found, cells=found.cells[:4], cells_mask=found.cells_mask[:4])
    assert match(few, simulator(write_recipe(found, tmp_path / "tuned.yaml"))) is None
