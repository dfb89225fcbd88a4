"""Download over HTTP with pooch: retries, checksum, atomic write; and published weights by their SHA-256."""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from rich.progress import DownloadColumn, TransferSpeedColumn
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, file_lock, write_error
from spi_lightning.locations import CACHE
from spi_lightning.progress import ProgressBar

if TYPE_CHECKING:
    from requests import Response
    from requests.exceptions import RequestException

_PIECE: Final = 1 << 16  # bytes written at a time, at most lost when a download breaks off
_TRANSIENT: Final = (408, 429)  # statuses below 500 after which the same request may succeed


class DownloadError(Exception):
    """A file that could not be fetched; the text is the reason as a clause: "the server answers 404 Not Found"."""


def download(
    url: str,
    path: Path,
    sha256: str | None = None,
    check: Callable[[Path], None] | None = None,
    attempts: int = 4,
    timeout: float = 20.0,
) -> None:
    """Fetch a file unless one with the right SHA-256 is there; pooch waits 1, 2, 3, ... s between its attempts.

    A file of known SHA-256 gets a progress bar and grows as ``<name>.part``, so that an interrupted download is resumed
    where it stopped.

    Args:
        url: Address of the file, http or https.
        path: Path of the file to write, whose folder is created; any file there is accepted if ``sha256`` is None.
        sha256: SHA-256 of the content, 64 hexadecimal digits; None where it is not known beforehand.
        check: Called with the downloaded file before it takes its name; raises ValueError if the content is wrong.
        attempts: Largest number of requests; permanent errors are not retried.
        timeout: Seconds without a byte from the server after which an attempt has failed.

    Raises:
        DownloadError: The server cannot be reached, does not have the file, or gives another content.
        OSError: The folder cannot be written.
    """
    import pooch
    from requests.exceptions import RequestException

    pooch.get_logger().setLevel("WARNING")
    known = {path.name: sha256 and f"sha256:{sha256}"}
    cache = pooch.create(path.parent, "", registry=known, urls={path.name: url}, retry_if_failed=attempts - 1)
    part = path.with_name(f"{path.name}.part") if sha256 else None
    try:
        cache.fetch(path.name, downloader=partial(_transfer, part=part, check=check, timeout=timeout))
    except RequestException as error:
        raise DownloadError(_diagnosis(error)[0]) from error
    except ValueError as error:
        raise DownloadError(str(error).partition(" Deleted download")[0]) from error


def _transfer(
    url: str, output: str, _cache: object, part: Path | None, check: Callable[[Path], None] | None, timeout: float
) -> None:
    """Downloader as pooch calls it: transient errors pass, for pooch to retry; permanent ones raise DownloadError."""
    import requests

    target = part or Path(output)
    done = target.stat().st_size if target.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code != 416 or not done:  # else the partial file is complete
                answer.raise_for_status()
                _save(answer, target, with_bar=part is not None)
    except requests.exceptions.RequestException as error:
        reason, transient = _diagnosis(error)
        if transient:
            raise
        raise DownloadError(reason) from error
    if part is not None:
        part.replace(output)
    if check is not None:
        check(Path(output))


def _save(answer: "Response", target: Path, with_bar: bool) -> None:
    """Write the body of an answer; append it to a partial file if the server resumes."""
    resumed = answer.status_code == 206
    with target.open("ab" if resumed else "wb") as file:
        total = file.tell() + int(answer.headers.get("Content-Length", 0))
        progress = ProgressBar(DownloadColumn(), TransferSpeedColumn())
        progress.disable |= not with_bar
        with progress:
            bar = progress.add_task(target.name.removesuffix(".part"), total=total or None, completed=file.tell())
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                progress.advance(bar, len(piece))


def _diagnosis(error: "RequestException") -> tuple[str, bool]:
    """Reason as a clause, and whether the error is transient: not without a network or for a missing page."""
    if error.response is not None:
        status = error.response.status_code
        return f"the server answers {status} {error.response.reason}", status >= 500 or status in _TRANSIENT
    cause: BaseException = error  # the innermost one: of the socket, or of the body
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    transient = not isinstance(cause, OSError) or isinstance(cause, TimeoutError | ConnectionResetError)
    return f"the server cannot be reached or breaks off ({getattr(cause, 'strerror', None) or cause})", transient


WEIGHTS: Final = CACHE / "weights"


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
    return [WEIGHTS, Path(torch.hub.get_dir()) / "checkpoints"]


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
    path = fetch(published, WEIGHTS)
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
