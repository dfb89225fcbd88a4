import base64
import io

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from spi_lightning.reports.hits.gallery import Caption
from spi_lightning.reports.hits.panels import gallery_panels, occlusion_panels
from spi_lightning.reports.style import CENTRE, MASKED
from spi_lightning.results.hit_pictures import Gallery, Occlusion


def pixels(source: str) -> np.ndarray:
    """RGB (H, W, 3), 0 to 1, of a data URI."""
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    return np.asarray(picture.convert("RGB")) / 255


def gallery(centre: tuple[float, float] = (np.nan, np.nan)) -> Gallery:
    photons = np.zeros((2, 40, 60), dtype=np.float32)
    photons[1, 10, 20], photons[0, 5, 5] = 900, 30
    mask = np.ones((40, 60), dtype=bool)
    mask[30] = False
    return Gallery({}, np.array([3, 7]), photons, mask, np.full((2, 2), centre, np.float32), 2)


def test_photons_masks_and_centres_have_their_colours() -> None:
    made = gallery_panels(gallery((20.4, 9.7)), [7, 3], [Caption("#7", "#0072B2"), Caption("#3")], "Some")
    first, second = (pixels(panel.sources[0]) for panel in made.panels)
    assert first.shape == (40, 60, 3) and [panel.text for panel in made.panels] == ["#7", "#3"]
    np.testing.assert_allclose(first[30], np.tile(to_rgb(MASKED), (60, 1)), atol=0.01)
    np.testing.assert_allclose(first[20, [7, 10, 13]], [to_rgb(CENTRE)] * 3, atol=0.01)
    assert first[10, 20].sum() > second[5, 5].sum() > first[0, 0].sum()  # the brightest pixel of all; 30; none
    (scale,) = made.scales
    assert scale.label == "photons per 2 × 2 pixels" and [text for _, text in scale.ticks] == ["1", "10", "100"]
    assert np.allclose([place for place, _ in scale.ticks], np.log([2, 20, 200]) / np.log(1800))


def test_a_centre_outside_of_the_frame_or_unknown_is_no_fault() -> None:
    for centre in ((-3.0, 70.0), (np.nan, np.nan)):
        assert gallery_panels(gallery(centre), [3], [Caption("#3")], "Some").panels


def test_an_occlusion_map_lies_below_its_pattern() -> None:
    drawn = gallery()
    change = np.zeros((2, 40, 60), dtype=np.float32)
    change[:, :5], change[:, 35:] = 1.0, -1.0
    mask = np.broadcast_to(drawn.mask, change.shape)
    made = occlusion_panels(Occlusion("a", drawn.frame, drawn.photons, mask, change), "Occlusion maps", "")
    below = pixels(made.panels[1].sources[1])
    assert len(made.panels[0].sources) == 2 and made.scales[1].label == "decrease of log odds"
    assert below[0, 0, 0] > below[0, 0, 2] and below[39, 0, 2] > below[39, 0, 0]  # orange above, purple below
