"""Fetch structures by id from an archive over HTTP: with retries, checked, whole or not at all."""

import gzip
import hashlib
import json
import logging
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, replacing, write_json
from spi_lightning.io.structure import read_ids

CHECKSUMS: Final = "checksums.json"  # id -> SHA-256 of the file as fetched
_ID_LENGTHS: Final = (4, 12)  # 1abc, pdb_00001abc


@dataclass(frozen=True)
class Archive:
    """Where structures are fetched from.

    url: with {id} in it; the default is the wwPDB mirror of RCSB. suffix: of the files made. tries: for one file; the
    pause between them starts at ``pause`` s and doubles. timeout: s. connections: at once.
    """

    url: str = "https://files.rcsb.org/download/{id}.cif.gz"
    suffix: str = ".cif.gz"
    tries: int = 4
    pause: float = 1.0
    timeout: float = 30.0
    connections: int = 4


def fetch_structures(ids: str | Sequence[str], folder: str | Path, archive: Archive | None = None) -> list[Path]:
    """Fetch structures that are not there yet.

    A file that is there and has the checksum it was fetched with is kept; one that was changed or cut is fetched again.
    Every file is unpacked once, compared with the Content-Length the server gave, and renamed into place.

    Args:
        ids: A list, or a text file of ids, see structure.read_ids.
        folder: Where the files and their checksums go; made if missing.
        archive: Where they come from.

    Returns:
        The files in the order of the ids.

    Raises:
        UserError: An id that is none; files that could not be had, after all others were tried and kept.
    """
    archive, folder, wanted = archive or Archive(), Path(folder), read_ids(ids)
    odd = [name for name in wanted if not name.replace("_", "").isalnum() or len(name) not in _ID_LENGTHS]
    if odd:
        raise UserError(f"{', '.join(odd[:5])}: no structure id; ids have four characters, or look like pdb_00001abc")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sums = _read_checksums(folder)
        missing = [name for name in wanted if _checksum(folder / f"{name}{archive.suffix}") != sums.get(name, "none")]
        with ThreadPoolExecutor(archive.connections) as pool:
            fetched = list(pool.map(lambda name: _fetch(name, folder, archive), missing))
        sums |= {name: found for name, found, _ in fetched if found}
        _write_checksums(folder, sums)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error})") from error
    failed = [f"{name} ({why})" for name, found, why in fetched if not found]
    if failed:
        shown = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise UserError(
            f"{len(failed)} of {len(wanted)} structures could not be fetched: {shown}; others are in {folder}"
        )
    return [folder / f"{name}{archive.suffix}" for name in wanted]


def _fetch(name: str, folder: Path, archive: Archive) -> tuple[str, str, str]:
    """Id, checksum and reason; the checksum is empty where fetching failed."""
    path, reason = folder / f"{name}{archive.suffix}", ""
    for attempt in range(archive.tries):
        if attempt:
            time.sleep(archive.pause * 2 ** (attempt - 1))
        try:
            content = _download(archive.url.format(id=name), archive.timeout)
            _unpack(content, path)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code in (400, 401, 403, 404, 410):
                break  # asking again would not help
            continue
        except (OSError, HTTPException, EOFError, zlib.error, ValueError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            continue
        with replacing(path) as part:
            part.write_bytes(content)
        return name, hashlib.sha256(content).hexdigest(), ""
    logging.getLogger(__name__).info("%s: %s", name, reason)
    return name, "", reason


def _download(url: str, timeout: float) -> bytes:
    """The body; a shorter one than announced is an error."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        content = bytes(response.read())
        announced = response.headers.get("Content-Length")
    if announced is not None and len(content) != int(announced):
        raise ValueError(f"{len(content)} of {announced} bytes arrived")
    return content


def _unpack(content: bytes, path: Path) -> None:
    """Raise if a packed file is damaged, or an answer is a page instead of a structure."""
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    if not text.strip() or text.lstrip()[:1] == b"<":
        raise ValueError("the answer is no structure file")


def _checksum(path: Path) -> str:
    return content_hash(path) if path.is_file() else ""


def _read_checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        stored = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError:
        stored = {}
    return {str(name): str(value) for name, value in stored.items()} if isinstance(stored, dict) else {}


def _write_checksums(folder: Path, sums: dict[str, str]) -> None:
    write_json(folder / CHECKSUMS, dict(sorted(sums.items())))
