"""Download of one file over HTTP with pooch: retries, checksum, atomic write."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.progress import DownloadColumn, TransferSpeedColumn

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
