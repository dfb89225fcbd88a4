import json
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spi_lightning.codec import save
from spi_lightning.metrics.prtf import chance_level
from spi_lightning.notes import Note
from spi_lightning.reports.phasing.page import write_phasing_report
from spi_lightning.reports.phasing.verdict import _fall, answer, verdict
from spi_lightning.results.phasing import PhasingFacts, PhasingResult, Unresolved


def test_a_curve_that_never_falls_ends_with_the_data_along_each_axis_by_its_name() -> None:
    metrics, edges = {"fsc_half_bit/crossing": None}, np.array([95e-9, 27e-9, 28e-9])
    result = replace(phased(5, ndim=3), pixel=edges, known=True)
    words = _fall(result, metrics, "fsc_half_bit", "half a bit")
    assert words.startswith("stays above half a bit up to the edge of the data, ")
    assert words.endswith("190 x 54 x 56 nm along z, y and x (full period)")
    scan = replace(result, about=PhasingFacts(frame="detector"))
    assert _fall(scan, metrics, "fsc_half_bit", "half a bit").endswith("along frame, row and column (full period)")
    cubic = replace(result, pixel=np.full(3, 27e-9))
    assert _fall(cubic, metrics, "fsc_half_bit", "half a bit").endswith("the data, 54 nm (full period)")


@pytest.mark.parametrize(("value", "words"), [(None, "up to the edge of the data"), (0.25, "at 0.25 per pixel")])
def test_without_geometry_no_length_is_named(value: float | None, words: str) -> None:
    assert _fall(phased(5, known=False), {"prtf/crossing": value}, "prtf", "1/e").endswith(words)


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


def phased(kept: int, total: int = 6, ndim: int = 2, known: bool = True, **about: Any) -> PhasingResult:
    """Result of a bar of 8 x 4 (x 4) pixels of 1 nm, phased from ``total`` starts of which ``kept`` agree."""
    shape, shells = (24,) * ndim, 13
    density = np.zeros(shape)
    density[(slice(8, 16), *(slice(10, 14),) * (ndim - 1))] = 1
    density = density + 0j if ndim == 3 else density
    falling, on = np.linspace(1.1, 0, shells), np.arange(total) < kept
    return PhasingResult(
        intensity=np.abs(np.fft.fftshift(np.fft.fftn(np.abs(density)))) ** 2,
        mask=np.ones(shape, dtype=bool),
        held_out=np.zeros(shape, dtype=bool),
        density=density,
        support=np.abs(density) > 0,
        start_support=np.ones(shape, dtype=bool),
        starts=np.stack([density] * total),
        error=np.full((40, total), 0.1),
        final_error=np.full(total, 0.1),
        held_out_error=np.full(total, 0.12),
        kept=on,
        frequency=np.linspace(0, 0.5, shells) / (1e-9 if known else 1),
        prtf=falling,
        prtf_modulus=falling,
        prtf_corrected=falling,
        fsc=np.empty(0),
        half_bit=np.empty(0),
        pixel=np.full(ndim, 1e-9 if known else 1.0),
        known=known,
        notes=(Note.warning("the beam is <b>not</b> in the middle"),),
        about=PhasingFacts(data="<frames>.h5", chance=chance_level(kept) if kept > 1 else None, **about),
    )


def test_the_answer_is_size_and_resolution_with_its_method() -> None:
    text = answer(phased(5), {"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0})
    assert text.startswith("The particle is 9.3 nm long and 4.8 wide (largest and smallest width at a tenth")
    assert "Resolution 4 nm, full period: the PRTF of the phases of 5 of 6 starts, less chance (0.40" in text
    assert "on held-out pixels 0.12" in text and "halves=true" in text
    unknown = answer(phased(5, known=False), {"prtf/crossing": None})
    assert "9.3 pixels long" in unknown and " nm long" not in unknown
    assert "at the limit of the data, 2 pixels: " in unknown


def test_a_prtf_by_chance_names_no_resolution() -> None:
    few = answer(phased(3), {"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0})
    assert (
        "No resolution is given: 3 of 6 starts agree" in few
        and "0.52, above its threshold" in few
        and "Resolution" not in few
    )
    assert few.index("No resolution") < few.index(
        "Nothing of the density is therefore a result. Unconfirmed: the particle"
    )
    alone = answer(phased(1), {})
    assert (
        "no other of the 6 starts" in alone and "most starts fail: try phasing.constraint=complex, phasing=pl" in alone
    )
    assert "starts=20" not in alone and "make more (starts=20)" in few
    assert "phasing=wu_iterative" in answer(phased(1, ndim=3), {})
    assert "means nothing" in answer(phased(5, identical_starts=True), {"prtf/crossing": 0.25})
    chosen = answer(phased(5, total=20), {"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0})
    assert "The other 15 starts found something else" in chosen


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"final_error": np.full(6, 0.5)}, Unresolved.POOR),
        ({"held_out_error": np.full(6, 0.6)}, Unresolved.OVERFITTED),
        ({"about": PhasingFacts(identical_starts=True)}, Unresolved.IDENTICAL),
        ({"kept": np.arange(6) < 3}, Unresolved.FEW),
        ({}, None),
    ],
)
def test_answer_verdict_and_summary_agree_whether_there_is_a_resolution(
    change: dict[str, Any], reason: Unresolved | None
) -> None:
    metrics = {"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0}
    result = replace(phased(5), metrics=metrics, **change)
    assert result.unresolved is reason
    lines = [answer(result, metrics), verdict(result, metrics), str(result.facts()["resolution"])]
    assert ["4 nm" in line.replace("9.3 nm", "") for line in lines] == [reason is None] * 3, lines


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_page_answers_first_is_small_and_escapes_what_files_say(ndim: int, tmp_path: Path) -> None:
    save(tmp_path / "phasing.h5", phased(5, ndim=ndim))
    (tmp_path / "metrics.json").write_text(json.dumps({"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0}))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        page = write_phasing_report(tmp_path)
    text = page.read_text()
    assert page.stat().st_size < 4e6
    first = ["&lt;frames&gt;.h5", "The particle is", "WARNING: the beam is &lt;b&gt;not", "<h3>Density"]
    later = ['<h2 id="reliability">', '<h2 id="starts">', '<h2 id="numbers">']
    places = [text.index(mark) for mark in [*first, *later]]
    assert places == sorted(places) and "<b>not" not in text
    assert ('class="surface"' in text) == (ndim == 3)
