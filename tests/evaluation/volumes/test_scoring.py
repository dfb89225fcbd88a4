"""Scores of 3D phasing on small arrays with known numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.evaluation.volumes.ensemble import Ensemble, ScoredMethod, ScoredRuns, score_runs
from spi_lightning.evaluation.volumes.scoring import (
    by_pattern,
    point_spread_of,
    scores_of,
    spread_of,
    successes,
    times_to,
)
from spi_lightning.physics.fourier import fourier
from spi_lightning.results.answered import Answered, Cost
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns


def runs(course: list[list[float]], seconds: list[float], point_spread: float = 0.0) -> VolumeRuns:
    """Runs with a known course of chi square, (T, S)."""
    count = len(course[0])
    return VolumeRuns(
        torch.ones(count, 2, 2, 2, dtype=torch.complex64),
        np.full(count, 8.0),
        np.arange(len(course)),
        np.asarray(seconds),
        np.asarray(course),
        np.full((count, 3), point_spread),
    )


def scored(final: list[float], seconds: float, found: VolumeRuns) -> ScoredRuns:
    return ScoredRuns(found, {"chi_square": np.asarray(final)}, Cost(seconds))


FIRST = scored([0.001, 0.2], 8.0, runs([[0.1, 0.5], [0.01, 0.2], [0.001, 0.2]], [1.0, 2.0, 4.0]))
SECOND = scored([0.05, 0.009], 4.0, runs([[0.005, 0.3], [0.05, 0.009]], [1.0, 3.0]))


def test_times_are_those_of_one_run_until_it_was_first_at_the_level() -> None:
    assert times_to(FIRST.runs, 0.01)[0] == 1.0 and np.isnan(times_to(FIRST.runs, 0.01)[1])  # 2 s for two runs
    np.testing.assert_array_equal(times_to(FIRST.runs, 0.2), [0.5, 1.0])
    assert FIRST.seconds == 4.0


def test_successes_count_runs_that_end_at_the_level_and_time_no_others() -> None:
    found = successes([FIRST, SECOND], [0.01, 1e-6])
    assert found["success/0.01"] == 0.5  # 0.001 and 0.009 of four; the run that once had 0.005 ended at 0.05
    assert found["seconds_to/0.01"] == pytest.approx(1.25)  # median of 1.0 and 1.5
    assert found["success/1e-06"] == 0 and found["seconds_to/1e-06"] is None


def test_spread_has_quartiles_range_and_the_deviation_over_starts() -> None:
    values = np.array([[[1.0, 3.0], [5.0, 9.0]]])  # one pattern, two draws, two starts
    found = spread_of("error", values)
    assert (found["error"], found["error/q1"], found["error/q3"]) == (4.0, 2.5, 6.0)
    assert (found["error/min"], found["error/max"]) == (1.0, 9.0)
    assert found["error/over_seeds"] == pytest.approx(np.median([np.sqrt(2), np.sqrt(8)]))
    assert "error/over_seeds" not in spread_of("error", values[..., :1])


def test_widths_of_a_blur_are_root_mean_squares_and_absent_without_one() -> None:
    assert point_spread_of([FIRST]) == {}
    found = point_spread_of([scored([1.0], 1.0, runs([[1.0]], [1.0], 0.5))])
    assert found == {"point_spread/z": 0.5, "point_spread/y": 0.5, "point_spread/x": 0.5, "point_spread": 0.5}


def test_scores_of_a_method_and_its_patterns() -> None:
    method = ScoredMethod("a", "epoch", [[FIRST], [SECOND]], [[], []], {})
    empty = torch.zeros(2, 2, 2)
    ensembles = [Ensemble(empty, empty, empty, 2, kept, None, None, torch.zeros(3)) for kept in (2, 1)]
    numbers = scores_of(method, ensembles, [0.01])
    assert (numbers["runs"], numbers["kept"], numbers["kept/share"]) == (4, 3, 0.75)
    assert numbers["seconds_per_run"] == 3.0 and "prtf/crossing" not in numbers
    medians = by_pattern(method, ["one", "two"])
    assert medians["one"]["chi_square"] == pytest.approx(0.1005) and medians["two"]["chi_square"] == pytest.approx(
        0.0295
    )


def test_runs_are_scored_against_fitted_and_held_out_voxels_and_the_truth() -> None:
    truth = torch.zeros(8, 8, 8, dtype=torch.complex64)
    truth[3:6, 3:5, 4] = torch.complex(torch.rand(3, 2) + 0.5, torch.rand(3, 2))
    amplitude, mask = fourier(truth, 3).abs(), torch.ones(8, 8, 8, dtype=torch.bool)
    fitted = mask.clone()
    fitted[0] = False
    patterns = VolumePatterns("", "array", ("one",), amplitude[None], mask[None], truth[None])
    twin = torch.roll(2j * truth.conj().flip((0, 1, 2)), (1, 2, 0), (0, 1, 2))  # shifted, turned in phase, scaled
    wrong = torch.zeros_like(truth)
    wrong[4, 4, 4] = 1
    found = VolumeRuns.of(torch.stack([truth, twin, wrong]), Trace())
    part = VolumePart(amplitude, fitted, 3, 0)
    numbers = score_runs(part, Answered(found, (), Cost(6.0)), patterns).numbers
    for name in ("chi_square", "held_out_chi_square", "density_error", "phase_rms"):
        assert numbers[name][:2] == pytest.approx(0, abs=2e-3) and numbers[name][2] > 0.05, name
    flat = float(amplitude[fitted].sum() ** 2 / (fitted.sum() * amplitude[fitted].square().sum()))
    assert numbers["chi_square"][2] == pytest.approx(1 - flat, rel=1e-5)  # of a constant at its best scale
    np.testing.assert_array_equal(numbers["free_voxels"], [512.0] * 3)
    whole = score_runs(VolumePart(amplitude, mask, 3, 0), Answered(found, (), Cost()), patterns)
    assert "held_out_chi_square" not in whole.numbers
