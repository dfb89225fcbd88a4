import sys
from pathlib import Path

import pytest

from spi_lightning.apps import spi
from spi_lightning.data.volumes import VolumeDataset


def test_a_set_of_particles_and_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    small = ["simulate.size=16", "simulate.object_size=8", "simulate.block_size=2"]
    path = tmp_path / "a.h5"
    words = ["simulate", "simulate=wu_particles", "patterns=3", f"path={path}", f"hydra.run.dir={tmp_path}", *small]
    monkeypatch.setattr(sys, "argv", words)
    spi.run("simulate")
    particles = VolumeDataset(path)
    assert len(particles) == 3 and particles[[0, 2]]["amplitude"].shape == (2, 1, 8, 8, 8)
    assert path.with_suffix(".png").stat().st_size > 1000
