"""The view of a notebook: a file of patterns and dataclasses in, orientations out, no configuration files."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from spi_lightning.codec import save
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.notes import Level
from spi_lightning.orientation import FirstGuess, OrientationSettings, Rings, orient
from spi_lightning.results import read
from spi_lightning.results.orientation import ORIENTATION_FILE, OrientationResult
from tests.orientation.stand_in import stand_in


def test_patterns_of_a_file_are_oriented(patterns: PatternFile, tmp_path: Path) -> None:
    settings = OrientationSettings(
        dragonfly=str(stand_in(tmp_path)), iterations=2, rings=Rings(2, 12), start=FirstGuess(noise=0.1), examples=3
    )
    result, numbers = orient(patterns, tmp_path / "run", settings)
    assert result.best.shape == (40,) and result.quaternion.shape == (500, 4) and result.error is not None
    assert result.log["iteration"].tolist() == [1, 2] and result.examples is not None
    assert len(result.examples.frame) == 3 and result.voxel == pytest.approx(1.2e-3 / (0.58 * 1.23984198e-6 / 1600))
    assert numbers["patterns"] == 40 and numbers["iteration"] == 2 and numbers["recovery"]["median_error_deg"] > 15
    save(tmp_path / "run" / ORIENTATION_FILE, result)
    stored = read(tmp_path / "run")
    assert isinstance(stored, OrientationResult) and stored.notes == result.notes and stored.symmetry == "none"
    np.testing.assert_array_equal(stored.probability, result.probability)
    np.testing.assert_array_equal(stored.examples.photons, result.examples.photons)
    again, same = orient(
        patterns, tmp_path / "b", OrientationSettings(output=str(tmp_path / "run"), rings=Rings(2, 12))
    )
    assert same == numbers and np.array_equal(again.probability, result.probability)


def test_patterns_are_oriented_without_dragonfly(patterns: PatternFile, tmp_path: Path) -> None:
    """And the result says that 40 patterns are few for 3,240 orientations."""
    settings = OrientationSettings(iterations=2, emc={"num_div": 4}, device="cpu", threads=1)
    result, numbers = orient(patterns, tmp_path, settings)
    assert result.quaternion.shape == (3240, 4) and numbers["iteration"] == 2 and (result.best >= 0).all()
    texts = [note.text for note in result.notes if note.level is Level.WARNING]
    assert any("40 patterns for 3,240 orientations, which need" in text for text in texts)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"symmetry": "cubic"}, "symmetry=cubic is unknown; choose one of none, icosahedral"),
        ({"iterations": 0}, "iterations=0: give a whole number, 1 or more"),
        ({"threads": 1.5}, "threads=1.5: give a whole number"),
        ({"keep": "some"}, "keep=some: give last or all"),
    ],
)
def test_settings_are_checked_where_they_are_made(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        OrientationSettings(**settings)


def test_settings_mirror_the_yaml() -> None:
    written = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[2] / "conf" / "orient.yaml"))
    usual = asdict(OrientationSettings())
    assert isinstance(written, dict) and {name: written[name] for name in usual} == usual
