from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from spi_lightning.reports.phasing.page import _fall, verdict
from spi_lightning.results.phasing import PhasingFacts, PhasingResult


def test_a_curve_that_never_falls_ends_with_the_data_along_each_axis() -> None:
    metrics = {"fsc_half_bit/crossing": None}
    words = _fall(metrics, "fsc_half_bit", "half a bit", "voxel", [95e-9, 27e-9, 28e-9])
    assert words.startswith("stays above half a bit up to the edge of the data, ")
    assert words.endswith("a resolution of 190 x 54 x 56 nm along z, y, x (full period)")
    assert _fall(metrics, "fsc_half_bit", "half a bit", "voxel", [27e-9] * 3).endswith("the data, 54 nm (full period)")


@pytest.mark.parametrize(("value", "words"), [(None, "up to the edge of the data"), (0.25, "at 0.25 per pixel")])
def test_without_geometry_no_length_is_named(value: float | None, words: str) -> None:
    assert _fall({"prtf/crossing": value}, "prtf", "1/e", "pixel", None).endswith(words)


def found(fitted: list[float], held_out: list[float], kept: list[bool], ndim: int = 2, **about: Any) -> PhasingResult:
    """A result of so many starts, of which nothing but the errors and the agreement is told."""
    empty, image = np.empty(0), np.zeros((4,) * ndim)
    arrays = {each.name: empty for each in fields(PhasingResult)[:17]} | {"density": image}
    errors = {"final_error": np.array(fitted), "held_out_error": np.array(held_out), "kept": np.array(kept)}
    return PhasingResult(
        **{**arrays, **errors},
        pixel=np.ones(ndim),
        known=False,
        about=PhasingFacts(**{"counting_error": 0.073, **about}),
    )


def test_a_start_that_fits_its_pixels_far_better_than_others_is_called_overfitted() -> None:
    text = verdict(found([0.025, 0.12], [0.537, 0.1], [True, False]), {})
    assert text.startswith(
        "WARNING: The other start does not agree with the best; the best leaves a relative Fourier error of 0.537 on "
        "held-out pixels, 0.025 on those it was fitted to (photon noise alone: about 0.073). It is overfitted"
    )
    assert "A start that was left out leaves 0.1 on held-out pixels." in text


@pytest.mark.parametrize(("fitted", "held"), [(0.07, 0.09), (0.025, 0.19), (0.3, 0.5), (0.06, 0.2), (0.025, np.nan)])
def test_a_sound_or_plainly_poor_fit_is_not_called_overfitted(fitted: float, held: float) -> None:
    text = verdict(found([fitted], [held], [True]), {})
    assert "WARNING" not in text and f"a relative Fourier error of {fitted:.3g}" in text
    noisy = verdict(found([fitted], [0.6], [True], counting_error=0.25), {})
    assert "WARNING" not in noisy


def test_a_poor_fit_names_what_can_be_its_cause() -> None:
    assert "check mask, beam centre, support" in verdict(found([0.4], [0.4], [True]), {})
    assert "check mask, support" in verdict(found([0.4], [0.4], [True], 3), {})
    assert "beside the centre of a pixel" in verdict(found([0.4], [0.4], [True], sampled_beside=True), {})


@pytest.mark.parametrize(
    ("kept", "error", "words"),
    [
        (
            [True, True, False],
            0.1,
            "2 of 3 starts agree; the best of them leaves a relative Fourier error of 0.1. The PRTF",
        ),
        ([True, True, False], 0.409, "2 of 3 starts agree with one another but do not fit the pattern; "),
        ([True, False], 0.1, "The other start does not agree with the best; "),
        ([True, False, False], 0.1, "None of the other 2 starts agrees with the best; "),
        ([True], 0.1, "One start, which nothing confirms; "),
    ],
)
def test_the_verdict_claims_no_more_than_the_numbers(kept: list[bool], error: float, words: str) -> None:
    files = found([error] * len(kept), [np.nan] * len(kept), kept, counting_error=None)
    assert words in verdict(files, {})
