import pytest
from matplotlib.figure import Figure

from spi_lightning.errors import UserError
from spi_lightning.reports.further import further_sections


def picture(result: str) -> Figure:
    """Caption of the picture.

    More of it.
    """
    return Figure()


def test_pictures_have_titles_and_captions_and_nothing_is_no_section() -> None:
    (section,) = further_sections({"one": picture, "none": lambda result: None}, "result")
    (block,) = section.blocks
    assert block.title == "one" and block.caption == "Caption of the picture." and block.source.startswith("data:image")
    assert further_sections({"none": lambda result: None}, "result") == further_sections(None, "result") == []


def test_a_function_must_return_a_figure() -> None:
    with pytest.raises(UserError, match=r"report\.figures\.wrong: returned str; return a matplotlib Figure or None"):
        further_sections({"wrong": lambda result: result}, "result")
