"""CITATION.cff: what version 1.2.0 of the format requires, and the papers whose methods are here."""

import re
from pathlib import Path

import yaml

import spi_lightning

ROOT = Path(__file__).parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
DOI = re.compile(r"10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+")
PAPER = re.compile(r"^## (\w+).* \((\d{4})\)$", re.MULTILINE)


def test_it_has_what_the_format_requires() -> None:
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software" and CITATION["message"]
    assert CITATION["version"] == spi_lightning.__version__
    for each in (CITATION, *CITATION["references"]):
        assert (
            each["title"]
            and each["type"]
            and all(author.keys() & {"name", "family-names"} for author in each["authors"])
        )
        assert "doi" not in each or DOI.fullmatch(each["doi"])


def test_it_names_every_paper_of_the_departures() -> None:
    papers = PAPER.findall((ROOT / "docs/departures.md").read_text(encoding="utf-8"))
    cited = [(each["authors"][0]["family-names"], str(each["year"])) for each in CITATION["references"]]
    assert len(papers) >= 4 and set(papers) <= set(cited)
