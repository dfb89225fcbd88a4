"""spi classify: weights of the package on frames of a detector that no network was trained on."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning import load
from tests.apps.in_process import status

CENTRE, WIDTH = (52.3, 61.8), 9.0  # beam, and width of a speckle, pixel


def sphere_and_pairs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts (60, 110, 120) of blank frames, single spheres and touching pairs, and 1 for a single sphere, else 0."""
    random = np.random.default_rng(seed)
    y, x = np.arange(110)[:, None] - CENTRE[0], np.arange(120)[None, :] - CENTRE[1]
    frames, labels = [], []
    for number in range(60):
        argument = np.pi * np.hypot(y, x) / (WIDTH * random.normal(1, 0.03)) + 1e-6
        amplitude = 3 * (np.sin(argument) - argument * np.cos(argument)) / argument**3
        kind, angle = number % 3, random.uniform(0, np.pi)
        if kind == 2:
            along = (y * np.sin(angle) + x * np.cos(angle)) / WIDTH
            amplitude = amplitude * 2 * np.cos(np.pi * along * random.uniform(0.8, 1.0))
        expected = amplitude**2
        expected *= random.uniform(4e3, 2e4) * (kind > 0) / expected.sum()
        frames.append(random.poisson(expected + 0.01))
        labels.append(kind == 1)
    return np.array(frames, dtype=np.uint16), np.array(labels, dtype=np.uint8)


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("classified")
    counts, labels = sphere_and_pairs()
    with h5py.File(folder / "frames.h5", "w") as file:
        file["counts"], file["labels"] = counts, labels
    words = ["data.keys.label=labels", "cache=null", "report.occlusion=0", "bootstrap.replicates=50"]
    assert status("classify", str(folder / "frames.h5"), *words, f"out={folder / 'run'}") == 0
    return folder / "frames.h5", folder / "run"


def test_single_spheres_are_selected_and_pairs_and_blanks_are_not(classified: tuple[Path, Path]) -> None:
    numbers = json.loads((classified[1] / "metrics.json").read_text())["methods"]["general"]
    assert numbers["test/auroc"] > 0.98 and numbers["test/accuracy"] > 0.9
    taken = np.loadtxt(classified[1] / "selection/index.txt", dtype=str, ndmin=1)
    assert all(int(line.rpartition(",")[2]) % 3 != 0 for line in taken), "a blank frame was selected"


def test_the_scale_of_the_file_is_found_and_kept(classified: tuple[Path, Path]) -> None:
    metrics = json.loads((classified[1] / "metrics.json").read_text())
    scale = metrics["methods"]["general"].get("scale") or metrics["scale"]
    scale = scale.get("general", scale)
    assert scale["beam_centre"] == pytest.approx(CENTRE, abs=0.5)
    assert scale["speckle_width"] == pytest.approx(WIDTH, rel=0.1)


def test_python_gives_the_same_probabilities(classified: tuple[Path, Path]) -> None:
    probability = load("general").predict(classified[0])
    labels = sphere_and_pairs()[1]
    assert probability[labels == 1].mean() > 0.8 and (probability[::3] == 0).all()
