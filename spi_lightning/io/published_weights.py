"""Weights that others have published: found on this machine, or fetched once, and checked by their sha256."""

import os
import pickle
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, cast

import torch
from rich.progress import DownloadColumn, TransferSpeedColumn
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, locked
from spi_lightning.progress import ProgressBar

PROJECT_FOLDER = Path("cache/weights")
_PIECE = 1 << 20
_TRIES, _FIRST_WAIT, _TIMEOUT = 4, 1.0, 20.0  # of a download; seconds


@dataclass(frozen=True)
class PublishedFile:
    """A file that anyone can get: its name, where it lies, and how its sha256 begins."""

    name: str
    url: str
    sha256: str
    megabytes: int


VGG16_IMAGENET: Final = PublishedFile(
    "vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af", 528
)


def folders() -> list[Path]:
    """Where published files are looked for: this project's cache, then that of torch.hub ($TORCH_HOME)."""
    return [PROJECT_FOLDER, Path(torch.hub.get_dir()) / "checkpoints"]


def find_published(published: PublishedFile, wanted: str = "auto", any_content: bool = False) -> tuple[Path, str]:
    """The file on this machine and its sha256; fetched into the project's cache where it is nowhere.

    Args:
        published: What is looked for.
        wanted: ``auto``, or the path of the file or of a folder that holds it; then nothing is fetched.
        any_content: Take a path whatever its sha256, for weights that someone else has trained.

    Raises:
        UserError: It is not there and cannot be fetched, or its sha256 is another one; one line that says how to mend.
    """
    if wanted != "auto":
        path = Path(wanted) / published.name if Path(wanted).is_dir() else Path(wanted)
        if not path.is_file():
            raise UserError(f"weights={wanted}: no such file; {get_it(published)}.")
        return path, _checked(path, published, any_content)
    for folder in folders():
        if (folder / published.name).is_file():
            return folder / published.name, _checked(folder / published.name, published, False)
    path = fetch(published, PROJECT_FOLDER)
    return path, _checked(path, published, False)


def get_it(published: PublishedFile) -> str:
    """How a user comes by the file, as the end of a sentence."""
    return (
        f"get {published.url} ({published.megabytes} MB, sha256 begins {published.sha256}), put it into "
        f"{' or '.join(map(str, folders()))}, or give its path"
    )


def fetch(published: PublishedFile, folder: Path) -> Path:
    """Download into a folder, with retries; an interrupted download goes on where it stopped.

    The bytes go into ``<name>.part``, which takes its name only when its sha256 is right. Two processes that ask at
    once do not disturb each other.

    Raises:
        UserError: The server cannot be reached or gives something else, or the folder cannot be written.
    """
    path, part = folder / published.name, folder / f"{published.name}.part"
    try:
        with locked(path):
            if not path.is_file():
                _download(published, part)
                _require_sha256(part, published)
                part.replace(path)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise UserError(f"{published.name} is not on this machine and {_why(error)}; {get_it(published)}.") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); {get_it(published)}.") from error
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Name -> tensor, loaded as plain data, from a file of torch.save in its old or new format.

    Raises:
        UserError: No such file, damaged, pickled code instead of weights, or no weights inside.
    """
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused, it is no file of torch, or carries code instead of plain weights."
        ) from error
    except Exception as error:  # whatever damaged bytes make the reader stumble over
        raise UserError(f"{path}: damaged or cut short, or no file of torch.") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise UserError(f"{path}: holds no weights (names and tensors), but {type(loaded).__name__}.")
    return cast(dict[str, Tensor], loaded)


def _checked(path: Path, published: PublishedFile, any_content: bool) -> str:
    """Sha256 of a file, which must be the published one unless anything goes."""
    return content_hash(path) if any_content else _require_sha256(path, published)


def _require_sha256(path: Path, published: PublishedFile) -> str:
    found = content_hash(path)
    if not found.startswith(published.sha256):
        megabytes = path.stat().st_size / 1e6
        if path.suffix == ".part":
            path.unlink()
        raise UserError(
            f"{path}: sha256 begins {found[:8]}, not {published.sha256} ({megabytes:.0f} of {published.megabytes} MB):"
            f" not {published.name}, or cut short; {get_it(published)}."
        )
    return found


def _download(published: PublishedFile, part: Path) -> None:
    """Append to the part until the server has no more; wait longer after each failure that may pass."""
    for attempt in range(_TRIES):
        try:
            with ProgressBar(DownloadColumn(), TransferSpeedColumn()) as progress:
                bar = progress.add_task(published.name, total=None)
                for done, total in _stream(published.url, part):
                    progress.update(bar, completed=done, total=total)
            return
        except (HTTPException, TimeoutError, ConnectionError, urllib.error.URLError) as error:
            if attempt == _TRIES - 1 or not _may_pass(error):
                raise
            time.sleep(_FIRST_WAIT * 2**attempt)


def _stream(url: str, part: Path) -> Iterator[tuple[int, int]]:
    """Fetch what the part lacks; yields bytes done and bytes in all."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # there is nothing after what we have; the sha256 will tell
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        done = done if answer.status == 206 else 0
        total = done + int(answer.headers.get("Content-Length", 0))
        while piece := answer.read(_PIECE):
            file.write(piece)
            done += len(piece)
            yield done, total
        if done < total:
            raise ConnectionError("the server broke off")
        os.fsync(file.fileno())


def _may_pass(error: Exception) -> bool:
    """False where trying again at once is idle: no such page, no network, no such server."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code == 429
    if isinstance(error, urllib.error.URLError):
        return isinstance(error.reason, TimeoutError | ConnectionResetError)
    return True


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return f"the server cannot be reached ({getattr(reason, 'strerror', None) or reason})"
