"""Page of a phasing run: pattern and density, numbers, reproducibility, starts and notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spi_lightning.codec import load
from spi_lightning.io.reading import read_metrics
from spi_lightning.notes import note_lines
from spi_lightning.reports.further import MakeFigure, further_sections
from spi_lightning.reports.laboratory import laboratory_sections
from spi_lightning.reports.page import Lines, Section, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.results.phasing import PHASING_FILE, PhasingResult

from .maps import result_pictures
from .numbers import numbers_table
from .starts import starts_picture
from .trust import trust_pictures
from .verdict import verdict


def write_phasing_report(run: Path, figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a phasing run from its phasing.h5 and metrics.json.

    Args:
        run: Folder of the phasing run.
        figures: Further figures by title, see reports.further.
    """
    result = load(run / PHASING_FILE, PhasingResult)
    metrics: dict[str, Any] = read_metrics(run / "metrics.json")
    sections = [
        Section("Result", [Lines([verdict(result, metrics)]), *result_pictures(result)]),
        *laboratory_sections([run / "laboratory.npz"]),
        Section("Numbers", [numbers_table(metrics, result.element)]),
        Section("Reliability", [*trust_pictures(result)]),
        Section("Starts", [starts_picture(result)]),
        Section("Notes", [Lines(note_lines(result.notes) or ["Nothing to note."])]),
        *further_sections(figures, result),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Phasing", "/".join(run.resolve().parts[-2:]), sections)
