import numpy as np

from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.results.selection import write_selection_lists


def test_all_lists_read_back_as_the_chosen_frames(make_file, tmp_path) -> None:
    patterns = make_file(20)
    chosen = np.array([3, 0, 17])
    files = write_selection_lists(tmp_path / "selection", patterns, chosen)
    assert files == ["index.txt", "selected.cxi", "selected.emc"]
    keys = PatternKeys(photons="photons", mask="mask")
    index = open_patterns(tmp_path / "selection" / "index.txt", keys, "bad")
    cxi = open_patterns(tmp_path / "selection" / "selected.cxi")
    emc = open_patterns(tmp_path / "selection" / "selected.emc")
    expected = patterns.read(chosen)
    for selected in (index, cxi, emc):
        np.testing.assert_array_equal(selected.read(np.arange(3)).reshape(expected.shape), expected)
    np.testing.assert_array_equal(cxi.labels["frame"], chosen)
    np.testing.assert_array_equal(cxi.labels["is_single_hit"], [1, 0, 1])


def test_known_geometry_gives_a_detector_for_dragonfly(make_file, tmp_path) -> None:
    patterns = make_file(6)
    patterns.geometry.update(distance=0.5, pixel_size=1e-3)
    assert "detector.h5" in write_selection_lists(tmp_path / "s", patterns, np.array([1]))
    emc = open_patterns(tmp_path / "s" / "selected.emc", PatternKeys(mask=str(tmp_path / "s" / "detector.h5")))
    assert emc.shape == (1, 24, 24)
    np.testing.assert_array_equal(emc.mask, patterns.mask)


def test_without_a_chosen_frame_only_a_list_that_says_so_is_written(make_file, tmp_path) -> None:
    assert write_selection_lists(tmp_path / "s", make_file(4), np.empty(0, dtype=np.int64)) == ["index.txt"]
    assert (tmp_path / "s" / "index.txt").read_text().startswith("# 0 of 4 frames")
