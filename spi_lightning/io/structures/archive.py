"""Download of structures by id from an archive, with the checksums of the downloads."""

import gzip
import json
import logging
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write, content_hash, write_json
from spi_lightning.io.download import DownloadError, download
from spi_lightning.printable import listed

from .structure import read_ids

CHECKSUMS: Final = "checksums.json"  # id -> SHA-256 of the file as fetched
_ID_LENGTHS: Final = (4, 12)  # 1abc, pdb_00001abc


@dataclass(frozen=True)
class Archive:
    """Archive of structures with an HTTP interface; the default is the wwPDB mirror of RCSB.

    Attributes:
        url: Address of one structure, with {id} for its id.
        suffix: Suffix of the files, which defines their format and gzip compression.
        attempts: Largest number of requests for one file.
        timeout: Time without a byte from the server after which an attempt has failed, s.
        connections: Largest number of simultaneous downloads.
    """

    url: str = "https://files.rcsb.org/download/{id}.cif.gz"
    suffix: str = ".cif.gz"
    attempts: int = 4
    timeout: float = 30.0
    connections: int = 4


def fetch_structures(ids: str | Sequence[str], folder: str | Path, archive: Archive | None = None) -> list[Path]:
    """Download the structures that are missing in a folder.

    A file with the checksum of its download is kept; one that was changed or truncated is downloaded again. Every file
    is unpacked once as a check before it takes its name.

    Args:
        ids: List of ids, or a text file of ids, see structure.read_ids.
        folder: Folder of the files and their checksums, created if missing.
        archive: Archive to download from, None for the default.

    Returns:
        Paths of the files in the order of the ids.

    Raises:
        UserError: An invalid id; downloads that failed, after all others were tried and kept.
    """
    archive, folder, wanted = archive or Archive(), Path(folder), read_ids(ids)
    odd = [name for name in wanted if not name.replace("_", "").isalnum() or len(name) not in _ID_LENGTHS]
    if odd:
        raise UserError(f"{', '.join(odd[:5])}: not a structure id; ids have four characters, or are as pdb_00001abc")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sums = _read_checksums(folder)
        missing = [name for name in wanted if _checksum(folder / f"{name}{archive.suffix}") != sums.get(name, "none")]
        with ThreadPoolExecutor(archive.connections) as pool:
            fetched = list(pool.map(lambda name: _fetch(name, folder, archive), missing))
        sums |= {name: found for name, found, _ in fetched if found}
        write_json(folder / CHECKSUMS, dict(sorted(sums.items())))
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error})") from error
    failed = [f"{name} ({why})" for name, found, why in fetched if not found]
    if failed:
        raise UserError(
            f"{len(failed)} of {len(wanted)} structures could not be fetched: {listed(failed, 5)}; others are in "
            f"{folder}"
        )
    return [folder / f"{name}{archive.suffix}" for name in wanted]


def _fetch(name: str, folder: Path, archive: Archive) -> tuple[str, str, str]:
    """Id, checksum and reason; the checksum is empty if the download failed."""
    path = folder / f"{name}{archive.suffix}"
    try:
        with atomic_write(path) as part:
            check = partial(_require_structure, packed=path.suffix == ".gz")
            download(archive.url.format(id=name), part, None, check, archive.attempts, archive.timeout)
    except DownloadError as error:
        logging.getLogger(__name__).info("%s: %s", name, error)
        return name, "", str(error)
    return name, content_hash(path), ""


def _require_structure(path: Path, packed: bool) -> None:
    """Raise ValueError for a damaged gzip file, or a web page instead of a structure."""
    try:
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if not content.strip() or content.lstrip()[:1] == b"<":
        raise ValueError("the answer is not a structure file")


def _checksum(path: Path) -> str:
    return content_hash(path) if path.is_file() else ""


def _read_checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        stored = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError:
        stored = {}
    return {str(name): str(value) for name, value in stored.items()} if isinstance(stored, dict) else {}
