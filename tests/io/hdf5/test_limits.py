from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spi_lightning.io import open_patterns
from spi_lightning.io.scans.bragg_scan import open_scan

RISE = np.exp(-((np.arange(8) - 4.0) ** 2) / 6)[:, None, None]
COUNTS = np.random.default_rng(0).poisson(RISE * np.full((8, 12, 14), 400.0)).astype(np.uint32)


def written(path: Path, counts: Any = COUNTS, **fields: Any) -> Path:
    """A NeXus file whose detector states ``fields``."""
    with h5py.File(path, "w") as file:
        file["entry/instrument/detector/data"] = counts
        file["entry/data/data"] = h5py.SoftLink("/entry/instrument/detector/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        for key, value in fields.items():
            file[f"entry/instrument/detector/{key}"] = value
    return path


def test_counts_from_the_saturation_value_on_are_saturated_in_scans(tmp_path: Path) -> None:
    over = COUNTS >= 420
    assert 0 < over.sum() < 0.2 * over.size
    read = open_scan(written(tmp_path / "a.nxs", saturation_value=[420.0]))
    np.testing.assert_array_equal(~np.isfinite(read.counts.numpy()), over)
    message = f"{over.sum()} voxels are at or above 420, /entry/instrument/detector/saturation_value: saturated"
    assert any(message in str(note) for note in read.notes)


def test_the_same_holds_for_patterns_frame_by_frame(tmp_path: Path) -> None:
    file = open_patterns(written(tmp_path / "a.nxs", saturation_value=420))
    np.testing.assert_array_equal(file.read_mask(range(8)), COUNTS < 420)
    assert file.read([4])[0].max() < 420
    assert any("at or above 420" in str(note) for note in file.notes)


def test_counts_below_the_underload_value_are_not_measured(tmp_path: Path) -> None:
    low = COUNTS.astype(np.int32)
    low[:, 3, 4] = -5
    low[2, 5, 5] = -9
    path = written(tmp_path / "a.nxs", low, underload_value=np.int32(0))
    assert int(np.isnan(open_scan(path).counts.numpy()).sum()) == 9
    assert not open_patterns(path).read_mask([2])[0, 5, 5]


@pytest.mark.parametrize(
    "fields", [{"saturation_value": 1e6}, {"bit_depth_readout": 12}, {"count_time": np.ones(8)}, {"underload_value": 0}]
)
def test_limits_that_no_count_reaches_change_nothing(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = written(tmp_path / "a.nxs", **fields)
    np.testing.assert_array_equal(open_scan(path).counts.numpy(), COUNTS)
    file = open_patterns(path)
    assert not file.masks_differ and not any("at or above" in str(note) for note in file.notes)


@pytest.mark.parametrize("value", [0, -1, np.nan, 1.0, "high", [400.0, 500.0]])
def test_limits_that_cannot_be_are_noted_and_not_taken(tmp_path: Path, value: Any) -> None:
    path = written(tmp_path / "a.nxs", saturation_value=value)
    for read in (open_scan(path), open_patterns(path)):
        assert any("saturation_value" in str(note) and "not taken as a limit" in str(note) for note in read.notes)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(open_scan(path).counts.numpy(), COUNTS)


def test_counts_at_the_largest_value_of_the_readout_are_saturated(tmp_path: Path) -> None:
    clipped = np.minimum(COUNTS, 255)
    clipped[clipped == 255] = 254
    clipped[4, 6, 6] = 511
    read = open_scan(written(tmp_path / "a.nxs", clipped, bit_depth_readout=9))
    assert read.counts[4, 6, 6] == np.inf and int(np.isinf(read.counts.numpy()).sum()) == 1
    assert any("the largest of 9 bits" in str(note) for note in read.notes)
