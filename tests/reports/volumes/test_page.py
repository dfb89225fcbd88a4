"""Pages of 3D comparisons: what they say where there is little to show."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from spi_lightning.reports.page import Lines, Picture, Surface
from spi_lightning.reports.style import PHASE_COLOURS
from spi_lightning.reports.volumes.page import of_pattern, resolution, verdict
from spi_lightning.reports.volumes.tables import number
from spi_lightning.results.answered import Cost
from spi_lightning.results.volumes import (
    DisplayedPattern,
    MethodResult,
    PhasedVolume,
    VolumeFacts,
    VolumeResult,
    VolumeSettings,
)

SHELLS = 5


def method(prtf: int, fsc: int) -> PhasedVolume:
    """A density with curves of so many shells; 0: none."""
    density = np.zeros((8, 8, 8), dtype=np.complex64)
    density[3:6, 3:6, 2:7] = 1
    curve = np.linspace(1, 0.2, prtf)
    return PhasedVolume(
        mean=density,
        best=density,
        deviation=np.zeros((8, 8, 8), np.float32),
        predicted=np.ones((8, 8, 8), np.float32),
        weight=np.ones(SHELLS),
        prtf=curve,
        prtf_corrected=curve,
        chance=0.1,
        fsc=np.linspace(1, 0.2, fsc),
        half_bit=np.full(fsc, 0.4),
        kept=1 if prtf == 0 else 3,
    )


def comparison(*methods: PhasedVolume) -> tuple[VolumeResult, DisplayedPattern]:
    amplitude = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    mask = np.ones((8, 8, 8), dtype=bool)
    pattern = DisplayedPattern("crystal", amplitude, mask, np.ones(SHELLS), None, list(methods))
    course = (np.arange(1), np.ones(1), np.ones((1, 2)))
    results = [
        MethodResult(f"method {number}", "epoch", {}, *course, Cost(2.0), 1.0, 1, 0) for number in range(len(methods))
    ]
    facts = VolumeFacts("scan.h5", "measured", True, ["crystal"], [8, 8, 8], [512], [[20]], VolumeSettings(), "cpu", 1)
    return VolumeResult(results, np.linspace(0, 0.5, SHELLS), np.full(3, np.nan), [pattern], facts), pattern


def test_where_no_runs_agree_the_page_says_so_instead_of_an_empty_plot() -> None:
    result, pattern = comparison(method(0, 0), method(0, 0))
    (block,) = resolution(result, pattern)
    assert isinstance(block, Lines) and "No PRTF of method 0, method 1" in block.lines[0]


def test_methods_without_a_prtf_are_named_beside_the_curves_of_the_others() -> None:
    result, pattern = comparison(method(SHELLS, 0), method(0, SHELLS))
    prtf, fsc, words = resolution(result, pattern)
    assert isinstance(prtf, Picture) and isinstance(fsc, Picture) and isinstance(words, Lines)
    assert "No PRTF of method 1" in words.lines[0]
    only_fsc = replace(pattern, methods=[method(0, SHELLS), method(0, SHELLS)])
    assert [block.title for block in resolution(result, only_fsc) if isinstance(block, Picture)] == [fsc.title]


def test_a_pattern_has_every_block_and_its_densities_first() -> None:
    result, pattern = comparison(method(SHELLS, 0), method(SHELLS, 0))
    sections = of_pattern(result, pattern, 1000)
    assert [
        block.title for section in sections for block in section.blocks if isinstance(block, Picture | Surface)
    ] == [
        "Densities of crystal",
        "method 0: density in 3D",
        "method 1: density in 3D",
        "Reproducibility (PRTF)",
        "Ensembles",
        "Measured",
        "Fourier spectral weight",
        "Measured diffraction",
        "method 0: diffraction",
        "method 1: diffraction",
    ]


NUMBERS = {"held_out_chi_square": 0.1, "held_out_chi_square/q1": 0.09, "held_out_chi_square/q3": 0.12, "runs": 12}


@pytest.mark.parametrize(("kept", "low", "words"), [(3, 0.2, "Only 3 of the 12 runs"), (12, 0.11, "quartiles")])
def test_the_answer_names_what_speaks_against_the_best_method(kept: int, low: float, words: str) -> None:
    result, _ = comparison(method(SHELLS, 0), method(SHELLS, 0))
    methods = {
        "a": NUMBERS | {"kept": kept},
        "b": NUMBERS | {"held_out_chi_square": 0.3, "held_out_chi_square/q1": low},
    }
    text = verdict(result, {"methods": methods})
    assert text.startswith("Least median χ² on the held-out voxels: a, 0.1; next b, 0.3")
    assert [word for word in ("Only 3 of the 12 runs", "quartiles") if word in text] == [words]


def test_phases_of_minus_and_plus_pi_look_alike() -> None:
    ends = [np.asarray(to_rgb(PHASE_COLOURS(position))) for position in (0.0, 1.0)]
    assert np.abs(ends[0] - ends[1]).max() < 0.03


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0119, "0.0119"), (0.0033, "0.00330"), (2.5e-6, "2.50e-06"), (0.99931, "0.99931"), (1.9, "1.90"), (3, "3")],
)
def test_numbers_keep_their_digits(value: float, text: str) -> None:
    assert number(value) == text
