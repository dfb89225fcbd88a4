"""A run of EMC in a folder: its files, its resumption, its end, and orientations found from a plain first guess."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io.dragonfly.output import read_log, read_output
from spi_lightning.orientation.dragonfly import first_guess
from spi_lightning.orientation.emc import EmcInput, EmcRun, EmcSettings, read_emc, run_emc
from spi_lightning.orientation.settings import FirstGuess
from spi_lightning.physics.rotations.orientations import random_quaternions

from .conftest import Experiment

RUN = EmcRun(EmcSettings(num_div=2, beta_factor=2.5), 4, 0.0, "last", torch.device("cpu"), 1e9)


@pytest.fixture
def source(experiment: Experiment) -> EmcInput:
    true = experiment.slices(random_quaternions(120, torch.Generator().manual_seed(5)).double())
    used = torch.from_numpy(experiment.detector.classes == 0)
    counts = torch.poisson(true, generator=torch.Generator().manual_seed(1)) * used
    return EmcInput(counts.flatten(1).int().numpy(), experiment.detector, len(experiment.intensity))


def guess_of(source: EmcInput) -> np.ndarray:
    return first_guess(source.mean(), source.detector, source.size, FirstGuess(noise=0.1))


def test_a_resumed_run_equals_an_uninterrupted_one(source: EmcInput, tmp_path: Path) -> None:
    guess = guess_of(source)
    whole = run_emc(tmp_path / "whole", source, guess, RUN)
    run_emc(tmp_path / "parts", source, guess, replace(RUN, iterations=2))
    (tmp_path / "parts" / "data" / "output_003.h5").write_bytes(b"\x89HDF, cut off")
    assert run_emc(tmp_path / "parts", source, guess, RUN) == whole
    one, other = (read_output(tmp_path / name) for name in ("whole", "parts"))
    assert one.iteration == other.iteration == 4
    for name in ("intensity", "orientation", "candidate", "probability", "quaternion"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.per_pattern["scale"], other.per_pattern["scale"])
    logs = [read_log(tmp_path / name / "EMC.log") for name in ("whole", "parts")]
    assert all(np.array_equal(logs[0][name], logs[1][name]) for name in logs[0] if name != "seconds")


def test_other_patterns_or_settings_start_anew(source: EmcInput, tmp_path: Path) -> None:
    guess = guess_of(source)
    run_emc(tmp_path, source, guess, replace(RUN, keep="all"))
    assert len(list((tmp_path / "data").iterdir())) == 4
    other = replace(RUN, settings=replace(RUN.settings, beta_factor=5.0), iterations=1)
    run_emc(tmp_path, source, guess, other)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["output_001.h5"]
    assert read_log(tmp_path / "EMC.log")["iteration"].tolist() == [1]


def test_the_output_holds_what_dragonfly_writes(source: EmcInput, tmp_path: Path) -> None:
    run_emc(tmp_path, source, guess_of(source), RUN)
    output = read_output(tmp_path, top=10)
    assert output.quaternion.shape == (420, 4) and output.weight.sum() == pytest.approx(1) and not output.notes
    assert output.orientation.shape == (120,) and np.array_equal(output.orientation, output.candidate[:, 0])
    assert (output.probability.sum(axis=1) <= 1 + 1e-6).all() and (np.diff(output.probability, axis=1) <= 0).all()
    assert output.per_pattern["scale"].mean() == pytest.approx(1)
    assert output.per_pattern["mutual_information"].mean() == pytest.approx(
        read_log(tmp_path / "EMC.log")["mutual_information"][-1], abs=1e-5
    )


def test_a_run_stops_once_the_likelihood_no_longer_changes(source: EmcInput, tmp_path: Path) -> None:
    settings = EmcSettings(num_div=2, beta=1.0)
    run_emc(tmp_path, source, guess_of(source), replace(RUN, settings=settings, iterations=60, tolerance=0.1))
    assert 1 < len(read_log(tmp_path / "EMC.log")["iteration"]) < 60


def test_beta_grows_as_scheduled_and_no_further_than_1() -> None:
    settings = EmcSettings(beta_factor=2.0, beta_schedule="1.5 3")
    photons = np.array([1e3, 1e5])
    start = 2 * np.exp(-6.5 * (photons * 1e-5) ** 0.15)
    np.testing.assert_allclose(settings.exponents(3, photons), start)
    np.testing.assert_allclose(settings.exponents(4, photons), 1.5 * start)
    np.testing.assert_array_equal(settings.exponents(100, photons), 1)
    np.testing.assert_allclose(EmcSettings(beta=0.01).exponents(1, photons), 0.01)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ({"num_modes": 2}, "emc.num_modes=2: the EMC of this package knows num_div, .*Dragonfly takes all of its own"),
        ({"num_div": 2.5}, "emc.num_div=2.5: give a whole number"),
        ({"point_group": "D3"}, "symmetry=D3 is unknown"),
        ({"beta": "cold"}, "emc.beta=cold: give a number above 0"),
        ({"beta_schedule": "2"}, "emc.beta_schedule=2: give growth and period"),
        ({"alpha": 1}, "emc.alpha=1: give a share from 0 to below 1"),
    ],
)
def test_unknown_lines_and_values_are_refused(lines: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_emc(lines)
    assert read_emc({"point_group": "A5"}).point_group == "icosahedral"
