from pathlib import Path

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import FlatFrames, PatternFile, PatternKeys, open_patterns


def test_frames_behind_a_header_are_read_in_any_order(tmp_path: Path) -> None:
    photons = np.arange(5 * 3 * 4, dtype=">i4").reshape(5, 3, 4)
    path = tmp_path / "a.raw"
    path.write_bytes(b"head" + photons.tobytes())
    keys = PatternKeys(reader=lambda file: PatternFile(file, "own", FlatFrames(file, photons.shape, ">i4", 4)))
    patterns = open_patterns(path, keys)
    assert patterns.format == "own" and patterns.shape == (5, 3, 4)
    np.testing.assert_array_equal(patterns.read([4, 0, 2]), photons[[4, 0, 2]].astype(np.float32))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"a\.raw: the file is truncated, 243 of 244 bytes; copy it again"):
        open_patterns(path, keys)
    with pytest.raises(UserError, match=r"a\.raw: cannot be read as plain numbers .*copy it again"):
        patterns.read([4])


def test_a_file_that_is_not_of_the_further_format_is_read_as_always(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4), dtype=np.uint8))
    keys = PatternKeys(reader=lambda file: None)
    assert open_patterns(tmp_path / "a.npy", keys).format == ".npy"
