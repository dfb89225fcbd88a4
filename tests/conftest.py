"""What all tests share: one torch thread each, no windows, no network, and where the real patterns lie."""

import os
from pathlib import Path

import pytest
import torch

import spi_lightning  # noqa: F401  before h5py, whose library reads the environment when it is loaded

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def spi_data() -> Path:
    """Folder of measured data: $SPI_DATA, else shared/data beside the checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("SPI_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "spi").is_dir():
        pytest.skip(f"no measured data in {folder}; set SPI_DATA")
    return folder
