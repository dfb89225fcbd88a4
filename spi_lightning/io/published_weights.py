"""Published weights of networks: found on this machine or downloaded once, and checked by their SHA-256."""

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, file_lock, write_error

from .download import DownloadError, download

PROJECT_FOLDER = Path("cache/weights")


@dataclass(frozen=True)
class PublishedFile:
    """File that can be downloaded from a public address.

    Attributes:
        name: Name of the file on this machine.
        url: Address it is downloaded from.
        sha256: SHA-256 of its content, 64 hexadecimal digits.
        megabytes: Size of the download, MB, for messages.
    """

    name: str
    url: str
    sha256: str
    megabytes: int


VGG16_IMAGENET: Final = PublishedFile(
    "vgg16-397923af.pth",
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    528,
)


def folders() -> list[Path]:
    """Folders searched for published files: this project's cache, then that of torch.hub ($TORCH_HOME)."""
    return [PROJECT_FOLDER, Path(torch.hub.get_dir()) / "checkpoints"]


def find_published(published: PublishedFile, wanted: str = "auto", any_content: bool = False) -> tuple[Path, str]:
    """Path of the file on this machine and its SHA-256; downloaded into the project's cache if not found.

    Args:
        published: Name, address and checksum of the file.
        wanted: ``auto``, or the path of the file or of a folder that holds it, without download.
        any_content: Whether to accept a path whatever its SHA-256, for weights that were trained elsewhere.

    Raises:
        UserError: The file is missing and cannot be downloaded, or its SHA-256 is a different one.
    """
    if wanted != "auto":
        path = Path(wanted) / published.name if Path(wanted).is_dir() else Path(wanted)
        if not path.is_file():
            raise UserError(f"weights={wanted}: no such file; {get_it(published)}")
        return path, _checked(path, published, any_content)
    for folder in folders():
        if (folder / published.name).is_file():
            return folder / published.name, _checked(folder / published.name, published, False)
    path = fetch(published, PROJECT_FOLDER)
    return path, _checked(path, published, False)


def get_it(published: PublishedFile) -> str:
    """Remedy where the file is missing: its address, checksum and target folders, as the end of a sentence."""
    return (
        f"get {published.url} ({published.megabytes} MB, sha256 {published.sha256}), put it into "
        f"{' or '.join(map(str, folders()))}, or give its path"
    )


def fetch(published: PublishedFile, folder: Path) -> Path:
    """Download a file into a folder unless it exists there; only one process downloads at a time.

    Raises:
        UserError: The server cannot be reached or sends a different content, or the folder cannot be written.
    """
    path = folder / published.name
    try:
        with file_lock(path):
            download(published.url, path, published.sha256)
    except DownloadError as error:
        raise UserError(f"{path.name} is not on this machine and {error}; {get_it(published)}") from error
    except OSError as error:
        raise write_error(folder, error) from error
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a file of torch.save in its old or new format, loaded as plain data (weights_only).

    Raises:
        UserError: A missing or damaged file, pickled code instead of weights, or other content than weights.
    """
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused, it is not a PyTorch file or holds code instead of plain weights; give a file of weights"
        ) from error
    except Exception as error:  # damaged bytes raise errors of any type
        raise UserError(f"{path}: damaged, truncated or not a PyTorch file; copy it again") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise UserError(f"{path}: holds {type(loaded).__name__} instead of weights by name; give a file of weights")
    return cast(dict[str, Tensor], loaded)


def _checked(path: Path, published: PublishedFile, any_content: bool) -> str:
    """SHA-256 of a file; UserError if it is not the published one, unless any content is accepted."""
    found = content_hash(path)
    if not any_content and found != published.sha256:
        megabytes = path.stat().st_size / 1e6
        raise UserError(
            f"{path}: sha256 begins {found[:8]}, not {published.sha256[:8]} ({megabytes:.0f} of {published.megabytes} "
            f"MB): not {published.name}, or truncated; {get_it(published)}"
        )
    return found
