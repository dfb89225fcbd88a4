"""Patterns to be oriented, without a simulation."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.io import CxiWriter, PatternFile, open_patterns


@pytest.fixture
def patterns(tmp_path: Path) -> PatternFile:
    """Forty counted patterns, 32 x 32, that fall off from the centre, with true orientations drawn at random."""
    draw = np.random.default_rng(0)
    y, x = np.indices((32, 32)) - 15.5
    counts = draw.poisson(40 * np.exp(-np.hypot(y, x) / 4), (40, 32, 32)).astype(np.uint16)
    turned = draw.normal(size=(40, 4))
    labels = {"orientation": (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)}
    geometry = {"photon_energy": 1600.0, "distance": 0.58, "pixel_size": 1.2e-3}
    kinds = {"orientation": ((4,), np.dtype("float32"))}
    with CxiWriter(tmp_path / "hits.cxi", (32, 32), 40, np.dtype("uint16"), kinds) as cxi:
        cxi.write(
            0, counts, np.ones((32, 32), dtype=bool), labels, {name: np.full(40, v) for name, v in geometry.items()}
        )
    return open_patterns(tmp_path / "hits.cxi")
