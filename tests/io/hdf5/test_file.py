"""Files with names that are not UTF-8 are read as any other."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns, open_scan

FRAMES = np.random.default_rng(0).poisson(0.5, (6, 32, 32)).astype(np.uint16)


def stored(path: Path, *names: bytes) -> Path:
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = FRAMES if b"angle" not in name else np.arange(6.0)
    return path


@pytest.mark.parametrize("names", [(b"R\xf6ntgen",), (b"R\xf6ntgen/data",), (b"entry/data/data", b"entry/\xff/angle")])
def test_stacks_beside_and_under_latin_names(tmp_path: Path, names: tuple[bytes, ...]) -> None:
    path = stored(tmp_path / "frames.h5", *names)
    assert open_patterns(str(path), PatternKeys()).read(np.arange(6)).sum() == FRAMES.sum()
    assert open_scan(path).counts.shape == FRAMES.shape


def test_both_are_offered_and_either_is_taken(tmp_path: Path) -> None:
    path = stored(tmp_path / "frames.h5", b"\xe4", b"b")
    with pytest.raises(UserError, match=r"b \(6, 32, 32\).*\\xe4 \(6, 32, 32\)"):
        open_patterns(str(path), PatternKeys())
    assert len(open_patterns(str(path), PatternKeys(photons="\udce4"))) == 6
