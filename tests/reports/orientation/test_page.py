"""Page of an orientation run: what stands first, its size, and that what files say is escaped."""

import json
import warnings
from pathlib import Path

import numpy as np

from spi_lightning.codec import save
from spi_lightning.notes import Note
from spi_lightning.reports.orientation.page import write_orientation_report
from spi_lightning.results.orientation import OrientationResult

TEST = {"p_value": 1e-5, "variation": 0.4, "harmonics": 3.0, "harmonics_freedom": 3, "harmonics_p": 1e-5}
TEST |= {"chi_square": 30.0, "chi_square_freedom": 5, "chi_square_p": 1e-5}
ERRORS = {"median_error_deg": 4.0, "error_90_deg": 9.0, "median_error_exact_deg": 5.0}


def oriented() -> OrientationResult:
    """Forty patterns among 500 orientations, found to 4 degrees."""
    draw = np.random.default_rng(0)
    quaternion = draw.normal(size=(500, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    best = draw.integers(500, size=40)
    return OrientationResult(
        frame=np.arange(40),
        quaternion=quaternion,
        weight=np.full(500, 1 / 500),
        probability=np.bincount(best, minlength=500).astype(float),
        best=best,
        part=np.zeros(500, dtype=int),
        density=np.ones(1),
        slices=draw.random((3, 21, 21)) + 0.1,
        voxel=1e7,
        symmetry="none",
        error=np.full(40, np.radians(4.0)),
        notes=(Note.warning("<i>few</i> patterns"),),
        data="hits & more.cxi",
    )


def test_file_answer_doubts_and_maps_stand_first(tmp_path: Path) -> None:
    save(tmp_path / "orientation.h5", oriented())
    numbers = {"uniformity": TEST, "patterns": 40, "symmetry": "none", "recovery": ERRORS, "sampling_step_deg": 12.0}
    (tmp_path / "metrics.json").write_text(json.dumps(numbers))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        page = write_orientation_report(tmp_path)
    text = page.read_text()
    first = ["hits &amp; more.cxi", "Orientations are not even: p = 1.0e-05", "full period of 10 nm", "found to 4.0°"]
    first += [
        "WARNING: &lt;i&gt;few",
        "<h3>Orientation probabilities",
        '<h2 id="merged-intensity">',
        '<h2 id="evenness">',
    ]
    places = [text.index(mark) for mark in first]
    assert places == sorted(places) and page.stat().st_size < 4e6
