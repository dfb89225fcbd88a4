import pytest

from spi_lightning.reports.phasing_verdict import _fall


def test_a_curve_that_never_falls_ends_with_the_data_along_each_axis() -> None:
    metrics = {"fsc_half_bit/crossing": None}
    words = _fall(metrics, "fsc_half_bit", "half a bit", "voxel", [95e-9, 27e-9, 28e-9])
    assert words.startswith("stays above half a bit up to the edge of the data, ")
    assert words.endswith("a resolution of 190 x 54 x 56 nm along z, y, x (full period)")
    assert _fall(metrics, "fsc_half_bit", "half a bit", "voxel", [27e-9] * 3).endswith("the data, 54 nm (full period)")


@pytest.mark.parametrize(("value", "words"), [(None, "up to the edge of the data"), (0.25, "at 0.25 per pixel")])
def test_without_geometry_no_length_is_said(value: float | None, words: str) -> None:
    assert _fall({"prtf/crossing": value}, "prtf", "1/e", "pixel", None).endswith(words)
