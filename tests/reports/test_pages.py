"""The page of a run of any kind; the tests of the commands make theirs again, see tests/reports/again.py."""

from spi_lightning.reports import PAGES
from spi_lightning.results import KINDS
from spi_lightning.results.runs.run import KINDS as NAMES


def test_every_kind_of_result_has_a_page_and_a_name() -> None:
    assert set(PAGES) == set(KINDS) == set(NAMES)
