import h5py
import numpy as np
import pytest

from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.reports import collect_gallery
from spi_lightning.reports.hits.gallery import Caption, gallery_figure
from spi_lightning.reports.style import MASKED, as_png
from spi_lightning.results.hit_pictures import Gallery


@pytest.fixture
def patterns(tmp_path) -> PatternFile:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["photons"] = np.random.default_rng(0).poisson(1.0, (6, 300, 280)).astype(np.uint16)
        mask = np.zeros((300, 280), np.uint8)
        mask[100:104] = 1
        file["mask"] = mask
    return open_patterns(tmp_path / "a.h5", mask_convention="bad")


def test_large_patterns_are_binned_and_their_photons_kept(patterns) -> None:
    gallery = collect_gallery(patterns, {"some": np.array([4, 1])}, np.full((6, 2), 150.0, np.float32))
    assert gallery.binned == 2 and gallery.photons.shape == (2, 150, 140)
    np.testing.assert_array_equal(gallery.frame, [1, 4])
    np.testing.assert_array_equal(gallery.photons.sum((1, 2)), patterns.read([1, 4]).sum((1, 2)))
    assert not gallery.mask[50:52].any() and gallery.mask[:50].all()
    np.testing.assert_allclose(gallery.beam_centre, 74.75)


def test_an_unknown_beam_centre_stays_unknown(patterns) -> None:
    assert np.isnan(collect_gallery(patterns, {"some": np.array([0])}).beam_centre).all()


def test_masked_pixels_are_grey_and_panels_share_one_scale(patterns) -> None:
    gallery = collect_gallery(patterns, {"some": np.array([4, 1])})
    picture = gallery_figure(gallery, [4, 1], [Caption("#4"), Caption("#1")])
    images = picture.axes[0].images
    assert len(images) == 2
    assert images[0].norm is images[1].norm
    red, green, blue, _ = images[0].cmap.get_bad()
    assert f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}" == MASKED
    assert images[0].get_array().mask[50:52].all()
    assert as_png(picture).startswith("data:image/png;base64,")


@pytest.mark.parametrize("most", [0, 4, 7, 30, 60, 3000, 2e6])
def test_labels_of_the_colour_bar_lie_inside_the_picture(most) -> None:
    photons = np.full((1, 8, 12), most, dtype=np.float32)
    drawn = Gallery({"a": np.array([0])}, np.array([0]), photons, np.ones((8, 12), bool), np.full((1, 2), np.nan), 2)
    picture = gallery_figure(drawn, [0], [Caption("#0")])
    picture.draw_without_rendering()
    bar = picture.axes[1]
    labels = [label for label in bar.get_yticklabels() if label.get_text()]
    inside = [label for label in [*labels, bar.yaxis.label] if label.get_window_extent().x1 <= picture.bbox.x1]
    assert len(inside) == len(labels) + 1 >= 3
    assert (
        all(label.get_text() for label in bar.get_yticklabels()) and not bar.get_yticklabels(minor=True)[0].get_text()
    )
