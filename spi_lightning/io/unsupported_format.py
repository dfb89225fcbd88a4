"""Names of unsupported file formats by their magic bytes, for error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spi_lightning.errors import UserError

TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD: Final = 512
_BEGINNINGS: Final = (
    (b"###CBF", "a CBF image"),
    (b"SIMPLE  =", "a FITS image"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"%PDF", "a PDF document"),
    (b"CDF\x01", "a netCDF 3 file"),
    (b"CDF\x02", "a netCDF 3 file"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"PK\x03\x04", "a zip archive, as .npz files are"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
)


def format_name(path: Path) -> str:
    """Format of a file by its magic bytes, in words with an article; empty if unknown."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.lstrip().startswith(b"{"):
        words = head.lower()
        if b"header_bytes" in words:
            return "an SMV (ADSC) image"
        if any(word in words for word in (b"headerid", b"dim_1", b"byteorder", b"edf_")):
            return "an EDF image"
    return next((what for start, what in _BEGINNINGS if head.startswith(start)), "")


def unsupported_format(path: Path, formats: str) -> UserError:
    """UserError of a file in an unsupported format.

    Args:
        path: Path of the file, for the message.
        formats: Names of the supported formats as one text.
    """
    what = format_name(path)
    if what:
        return UserError(f"{path}: is {what}, which is not supported; convert it (e.g. by fabio) to one of: {formats}")
    return UserError(f"{path}: unknown format; supported are {formats}")
