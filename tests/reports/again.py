"""The page of a run, made again from the files of its folder."""

import re
from pathlib import Path

from spi_lightning.reports import write_report


def require_same_page(run: Path) -> None:
    """Assert that write_report makes the page that the run wrote, but for its date."""
    first = (run / "report.html").read_text(encoding="utf-8")
    second = write_report(run).read_text(encoding="utf-8")
    assert re.sub(r"page made [^<]* from", "", first) == re.sub(r"page made [^<]* from", "", second)
