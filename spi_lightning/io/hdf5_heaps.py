"""Check of the global heaps of an HDF5 file, where text and lists of any length lie.

The HDF5 library reads a heap object by object and goes on by the size that each one states: an unused object of size 0
keeps it in one place for ever. Such a file is refused before the library sees it. Source: HDF5 file format
specification, III.E, "Disk Format: Level 1E - Global Heap".
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

from spi_lightning.fields import UserError

_SIGNATURE: Final = b"GCOL\x01\x00\x00\x00"  # with version 1 and the reserved bytes behind
_HEADER: Final = 16  # bytes of a heap's header, and of each of its objects'
_SEARCHED: Final = 256 << 20  # bytes; of larger files as much, half at each end, where writers put text
_BLOCK: Final = 16 << 20


def require_sound_heaps(path: Path) -> None:
    """Refuse an HDF5 file with a global heap that the HDF5 library would read without an end.

    Of a file above 256 MiB the first and the last 128 MiB are searched: all of it would take seconds.

    Raises:
        UserError: One of its heaps is damaged so.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for place in _heaps(file, size):
            file.seek(place + len(_SIGNATURE))
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            if _HEADER <= length <= size - place and _is_endless(file.read(length - _HEADER)):
                raise UserError(
                    f"{path}: the HDF5 file is damaged where its text and lists lie (byte {place}); copy it again"
                )


def _heaps(file: BinaryIO, size: int) -> list[int]:
    """Places of the signature of global heaps."""
    places = []
    starts = [
        *range(0, min(size, _SEARCHED // 2), _BLOCK),
        *range(max(_SEARCHED // 2, size - _SEARCHED // 2), size, _BLOCK),
    ]
    for start in starts:
        file.seek(start)
        block = file.read(_BLOCK + len(_SIGNATURE) - 1)
        place = block.find(_SIGNATURE)
        while place >= 0:
            places.append(start + place)
            place = block.find(_SIGNATURE, place + 1)
    return places


def _is_endless(objects: bytes) -> bool:
    """Whether the objects of a heap hold an unused one of size 0 where the library would look for the next."""
    place = 0
    while place + _HEADER <= len(objects):
        number, size = struct.unpack_from("<H6xQ", objects, place)
        if number == 0:
            if size == 0:
                return True
            place += size
        else:
            place += _HEADER + -(-size // 8) * 8
    return False
