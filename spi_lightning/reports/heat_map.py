"""Heat maps of how well every two methods agree."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spi_lightning.printable import without_middle

from .style import figure

_LETTERS, _LINE = 44, 22  # of a name, and of one line of it


def agreement_figure(
    names: Sequence[str],
    matrices: Mapping[str, Sequence[Sequence[float]]],
    label: str,
    least: float = 0.0,
    form: str = ".2f",
) -> Figure:
    """One heat map for each measure of agreement, side by side on one scale of colours.

    Args:
        names: Names of the M methods.
        matrices: Title of each panel -> (M, M) agreement, at most 1.
        label: Label of the scale.
        least: Lower end of the scale.
        form: Format of the numbers.
    """
    words = [textwrap.fill(without_middle(name, _LETTERS), _LINE, break_long_words=True) for name in names]
    size, count = len(names), len(matrices)
    side = 2.6 + 0.57 * size + 0.07 * min(_LINE, max(map(len, names)))
    with figure(count * side + 0.8, side) as picture:
        panels = picture.subplots(1, count, sharey=True, squeeze=False)[0]
        for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
            image = axes.imshow(np.asarray(matrix), cmap="Blues", vmin=least, vmax=1)
            for (row, column), value in np.ndenumerate(np.asarray(matrix)):
                colour = "white" if value > least + 0.6 * (1 - least) else "black"
                axes.text(column, row, format(value, form), ha="center", va="center", fontsize=9, color=colour)
            axes.set_xticks(range(size), words, rotation=40, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(size), words)
            axes.set_title(title)
            axes.grid(False)
        picture.colorbar(image, ax=list(panels), label=label, shrink=0.8)
    return picture
