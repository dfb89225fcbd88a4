"""Wide figures cut into tiles that narrow screens wrap."""

import base64
import io

import numpy as np
from PIL import Image

from spi_lightning.reports.style import as_tiles, figure


def pixels(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


def test_tiles_are_the_columns_of_the_figure_cut_where_it_is_blank() -> None:
    with figure(9, 3) as picture:
        panels = picture.subplots(2, 3)
        for axes in panels.flat:
            drawn = axes.imshow(np.random.default_rng(0).random((5, 5)))
        picture.colorbar(drawn, ax=list(panels.flat)).set_label("density")
        tiles = as_tiles(picture)
    assert len(tiles) == 4  # three columns and the colour bar
    assert abs(sum(tile.share for tile in tiles) - 1) < 1e-4
    strips = [pixels(tile.source) for tile in tiles]
    assert all((strip[:, [0, -1]] == 255).all() and (strip < 255).any() for strip in strips)  # cut where nothing is
    assert sum(strip.shape[1] for strip in strips) == 9 * 160
