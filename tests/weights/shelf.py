"""A folder of weights that is empty, instead of that of the package."""

from pathlib import Path

import pytest

from spi_lightning.tasks import checkpoint_files
from spi_lightning.weights import card


def empty_shelf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder, and let the package look for its weights there."""
    folder.mkdir()
    monkeypatch.setattr(card, "WEIGHTS", folder)
    monkeypatch.setattr(checkpoint_files, "WEIGHTS", folder)
    return folder
