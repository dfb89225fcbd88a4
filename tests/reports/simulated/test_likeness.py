"""Page of a simulation beside the file that it is like."""

from pathlib import Path

import pytest
import torch

from spi_lightning.data.survey.sample import HitSample
from spi_lightning.data.survey.survey import Survey
from spi_lightning.fields import MASK, PHOTON_COUNT, PHOTONS
from spi_lightning.reports.simulated.likeness import verdict, write_likeness_page
from spi_lightning.reports.simulated.tuning import change_lines, write_tuning_page
from tests.data.survey.test_survey import found  # noqa: F401  fixture

NUMBERS = {
    "frames": 40,
    "now_taken": list(range(20)),
    "no_longer_taken": [],
    "before": {"taken": 4, "uncertain": 2, "mean_photons": 900.0},
    "tuned": {"taken": 24, "uncertain": 0, "mean_photons": 850.0, "auroc": 0.99},
    "simulated": {"before": {"auroc": 0.95, "accuracy": 0.9}, "tuned": {"auroc": 0.97, "accuracy": 0.92}},
    "labels_learned": [3, 5],
}


def drawn_like(found: Survey, factor: float = 1.0) -> dict[str, torch.Tensor]:  # noqa: F811
    """The file's own hits, brighter by a factor, in the place of a simulation."""
    count = torch.ones(len(found.cells))
    return {PHOTONS: factor * found.cells, MASK: found.cells_mask, PHOTON_COUNT: count}


def test_the_verdict_names_what_differs(found: Survey) -> None:  # noqa: F811
    measured = HitSample.of(found.cells, found.cells_mask, 0.0)
    assert "are like those of the measured ones" in verdict(measured, measured)
    brighter = HitSample.of(5 * found.cells, found.cells_mask, 0.0)
    assert verdict(measured, brighter).startswith("The simulated hits differ from the measured ones in photons")


def test_sizes_are_those_over_the_usual_particle(found: Survey) -> None:  # noqa: F811
    sizes = HitSample.of(found.cells, found.cells_mask, found.level[0] * found.scale.cell**2).size
    assert len(sizes) > 20 and sizes == pytest.approx(1, abs=0.1)


def test_the_page_pairs_hits_and_shows_the_recipe(found: Survey, tmp_path: Path) -> None:  # noqa: F811
    words = write_likeness_page(tmp_path / "like.html", found, drawn_like(found), "speckle: 9  # pixel; measured")
    page = (tmp_path / "like.html").read_text()
    assert words in page and "speckle: 9  # pixel; measured" in page
    assert page.count("photons; simulated: ") % 14 == 0, "a panel for each of 14 pairs"


def test_the_page_of_a_tuned_network_says_first_what_changed(found: Survey, tmp_path: Path) -> None:  # noqa: F811
    write_tuning_page(tmp_path / "tuned.html", found, drawn_like(found, 3.0), "a: 1", NUMBERS)
    page = (tmp_path / "tuned.html").read_text()
    lines = change_lines(NUMBERS)
    assert lines[0] == (
        "20 of 40 frames changed sides: 20 are taken now (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …), 0 no longer."
    )
    assert "their mean is 900 and 850 photons" in lines[1] and "2 labelled frames" in lines[2]
    assert page.index("What changed") < page.index("Resemblance") and "0.970" in page
