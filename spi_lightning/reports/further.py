"""Figures from outside the package on a report: functions of a result, named by the command."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from spi_lightning.errors import UserError

from .page import Picture, Section
from .style import as_svg

MakeFigure = Callable[[Any], Figure | None]
"""What a run folder holds, read from its files (see results) -> figure; None where there is nothing to draw."""


def further_sections(figures: Mapping[str, MakeFigure] | None, result: Any) -> list[Section]:
    """One section with all figures, the first line of each function's docstring below its own; empty without figures.

    Args:
        figures: Functions by the title of their figure.
        result: What the functions are called with.

    Raises:
        UserError: A function gives something else than a figure of matplotlib.
    """
    pictures = []
    for name, make in (figures or {}).items():
        figure = make(result)
        if figure is None:
            continue
        if not isinstance(figure, Figure):
            raise UserError(f"report.figures.{name}: gives {type(figure).__name__}, not a matplotlib Figure or None")
        words = (inspect.getdoc(getattr(make, "func", make)) or "").partition("\n")[0]
        pictures.append(Picture(as_svg(figure), name, words))
    return [Section("Further figures", pictures)] if pictures else []
