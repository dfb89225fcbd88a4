"""The page of a run of any kind; the tests of the commands make theirs again, see tests/reports/again.py."""

from spi_lightning.reports import PAGES
from spi_lightning.results import KINDS


def test_every_kind_of_result_has_a_page() -> None:
    assert set(PAGES) == set(KINDS)
