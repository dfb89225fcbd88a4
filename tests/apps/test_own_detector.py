"""A detector that nobody knows: HDF5 in detector units, of odd size, with gaps, names of its own and a mask beside."""

import csv
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.physics.frames.sphere_fit import sphere_amplitude
from tests.apps.in_process import status

SHAPE, FRINGE, GAIN, DIAMETER = (101, 143), 12.0, 37.0, 70e-9


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Settings of the file: 24 frames of spheres, half of them with a second one beside; 70 nm by this geometry."""
    rng, (height, width) = np.random.default_rng(0), SHAPE
    y, x = np.arange(height)[:, None] - 50.6, np.arange(width) - 70.2
    sphere = sphere_amplitude(torch.from_numpy(np.hypot(y, x)), torch.tensor(1 / FRINGE)).square().numpy()
    label = np.arange(24) % 2
    pair = sphere * (1 + np.cos(2 * np.pi * x * 1.6 / FRINGE))
    frames = np.stack([rng.poisson(4e4 * each / each.sum()) for each in (sphere if one else pair for one in label)])
    bad = np.zeros(SHAPE, bool)
    bad[48:53], bad[:, 70] = True, True
    adu = np.where(bad, 0, frames) * GAIN + rng.normal(0, 4, frames.shape)
    with h5py.File(tmp_path / "run7.h5", "w") as file:
        file["detector_A/images"], file["detector_A/class"] = adu.round().astype(np.int32), label
    np.save(tmp_path / "bad_pixels.npy", bad)
    length = FRINGE * 75e-6 * DIAMETER / 1.2398e-6 * 1200  # of a fringe, in the wavelength at 1200 eV
    geometry = {"distance": length, "pixel_size": 75e-6, "photon_energy": 1200}
    return [
        str(tmp_path / "run7.h5"),
        "data.keys.label=detector_A/class",
        f"data.keys.mask={tmp_path / 'bad_pixels.npy'}",
        f"data.adu_per_photon={GAIN}",
        *(f"data.geometry.{name}={value}" for name, value in geometry.items()),
    ]


def test_describe_names_the_settings_and_the_size(words: list[str], tmp_path: Path, capsys) -> None:
    assert status("describe", *words, f"out={tmp_path / 'frames.csv'}") == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "detector units, 37 a photon" in text and "bad_pixels.npy" in text
    assert "for networks of 64 x 64 pixels: preprocess.bin=1 preprocess.crop=64 (fringes of 1" in text
    with (tmp_path / "frames.csv").open() as file:
        singles = [float(row["diameter_nm"]) for row in csv.DictReader(file) if row["is_single_hit"] == "1"]
    assert np.median(singles) == pytest.approx(1e9 * DIAMETER, rel=0.03)


def test_a_network_is_trained_in_the_second_try_and_evaluated(words: list[str], tmp_path: Path, capsys) -> None:
    file = ["data=hits", f"data.path={words[0]}", *words[1:]]
    folder = [f"out={tmp_path / 'run'}", "tracking=disabled", "trainer.max_steps=2"]
    assert status("train", "network=tiny_cnn", *file, *folder) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    named = re.findall(r"preprocess\.\w+=\d+", line.partition(": set ")[2])
    assert "patterns of 101 x 143 pixels do not become the 64 x 64 pixels of TinyCNN" in line and len(named) == 2
    assert status("train", "network=tiny_cnn", *file, *folder, *named) == 0
    evaluated = [f"checkpoint={tmp_path / 'run'}", *file[1:], f"out={tmp_path / 'answers'}", "cache=null"]
    assert status("evaluate", *evaluated, "report.occlusion=0", "bootstrap.replicates=10") == 0
    with (tmp_path / "answers/predictions.csv").open() as answers:
        rows = list(csv.DictReader(answers))
    assert len(rows) == 24 and all(row["probability"] for row in rows) and "diameter_nm" in rows[0]
