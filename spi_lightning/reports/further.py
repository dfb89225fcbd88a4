"""Further figures of a report, made by functions of a result that the command line names."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from spi_lightning.errors import UserError

from .page import Picture, Section
from .style import as_svg

MakeFigure = Callable[[Any], Figure | None]
"""Result of a run (see results) -> figure; None if there is nothing to draw."""


def further_sections(figures: Mapping[str, MakeFigure] | None, result: Any) -> list[Section]:
    """Section with all further figures, captioned by the first lines of their functions' docstrings.

    Args:
        figures: Functions by the title of their figure.
        result: Result of the run, argument of the functions.

    Returns:
        One section; none if there are no figures.

    Raises:
        UserError: A function returns something else than a figure of matplotlib.
    """
    pictures = []
    for name, make in (figures or {}).items():
        figure = make(result)
        if figure is None:
            continue
        if not isinstance(figure, Figure):
            raise UserError(
                f"report.figures.{name}: returned {type(figure).__name__}; return a matplotlib Figure or None"
            )
        words = (inspect.getdoc(getattr(make, "func", make)) or "").partition("\n")[0]
        pictures.append(Picture(as_svg(figure), name, words))
    return [Section("Further figures", pictures)] if pictures else []
