"""Fixtures of labelling: a small file of patterns, and the server of its page."""

import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.labelling import LabelFile, LabelServer, LabelSession, TeachingOrder

COUNT = 24


def write_frames(path: Path, count: int = COUNT, edge: int = 16) -> Path:
    """File of Poisson counts; frame n holds n + 1 photons more in its middle, and the first row is masked."""
    photons = np.random.default_rng(0).poisson(0.2, (count, edge, edge)).astype(np.uint16)
    photons[:, edge // 2, edge // 2] += np.arange(1, count + 1, dtype=np.uint16)
    mask = np.zeros((edge, edge), dtype=np.uint8)
    mask[0] = 1
    with h5py.File(path, "w") as file:
        file["photons"], file["mask"] = photons, mask
    return path


@pytest.fixture
def frames(tmp_path: Path) -> PatternFile:
    return open_patterns(write_frames(tmp_path / "frames.h5"), mask_convention="bad")


@pytest.fixture
def server(frames: PatternFile) -> Iterator[LabelServer]:
    labels = LabelFile(frames.path.with_name("labels.txt"), frames.path.name, len(frames))
    with LabelServer(LabelSession(frames, labels, TeachingOrder.in_turn(len(frames)))) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
