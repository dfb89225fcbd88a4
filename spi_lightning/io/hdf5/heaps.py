"""Check of the global heaps of an HDF5 file, where text, lists of any length and mappings of virtual data sets lie.

The HDF5 library reads a heap object by object and goes on by the size that each one states: an unused object of size 0
keeps it in one place for ever. Of a mapping it takes the number of axes as it stands, and more than it has memory for
end the process. Such a file is refused before the library sees it. Source: HDF5 file format specification, III.E,
"Disk Format: Level 1E - Global Heap", and VIII, "Dataspace Selection".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from spi_lightning.errors import UserError

_SIGNATURE: Final = b"GCOL\x01\x00\x00\x00"  # with version 1 and the reserved bytes behind
_SUPERBLOCK: Final = b"\x89HDF\r\n\x1a\n"
_HEADER: Final = 16  # bytes of a heap's header, and of each of its objects'
_SEARCHED: Final = 256 << 20  # bytes; of larger files as much, half at each end, where writers put text
_BLOCK: Final = 16 << 20
_MOST_AXES: Final = 32


def require_sound_heaps(path: Path) -> None:
    """Refuse an HDF5 file with a global heap that the HDF5 library would read without an end, or not survive.

    Of a file above 256 MiB the first and the last 128 MiB are searched: all of it would take seconds.

    Raises:
        UserError: One of its heaps is damaged so.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for place in list(_places(file, size, _SIGNATURE)):
            file.seek(place + len(_SIGNATURE))
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            if not _HEADER <= length <= size - place:
                continue
            for number, stated, content in _objects(file.read(length - _HEADER)):
                if number == stated == 0:
                    raise UserError(
                        f"{path}: the HDF5 file is damaged where its text and lists lie (byte {place}); copy it again"
                    )
                if _most_axes(content) > _MOST_AXES and _is_mapping(file, size, place, number):
                    raise UserError(
                        f"{path}: the HDF5 file is damaged where the sources of a virtual data set are listed (byte "
                        f"{place}); copy it again"
                    )


def _places(file: BinaryIO, size: int, content: bytes) -> Iterator[int]:
    """Places of some bytes in the part of a file that is searched."""
    starts = [
        *range(0, min(size, _SEARCHED // 2), _BLOCK),
        *range(max(_SEARCHED // 2, size - _SEARCHED // 2), size, _BLOCK),
    ]
    for start in starts:
        file.seek(start)
        block = file.read(_BLOCK + len(content) - 1)
        place = block.find(content)
        while place >= 0:
            yield start + place
            place = block.find(content, place + 1)


def _is_mapping(file: BinaryIO, size: int, heap: int, number: int) -> bool:
    """Whether the layout of a virtual data set names an object of the heap at a place: its sources are listed there."""
    base = next(_places(file, size, _SUPERBLOCK), 0)  # addresses count from here
    layout = b"\x03" + struct.pack("<QI", heap - base, number)
    return any(True for _ in _places(file, size, layout))


def _objects(heap: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, size and content of the objects of a heap, as the library goes through them; number 0 is unused."""
    place = 0
    while place + _HEADER <= len(heap):
        number, size = struct.unpack_from("<H6xQ", heap, place)
        yield number, size, heap[place + _HEADER : place + _HEADER + size]
        if number == size == 0:
            return  # from here the library does not come on
        place += size if number == 0 else _HEADER + -(-size // 8) * 8


def _most_axes(mapping: bytes) -> int:
    """Largest number of axes of the selections that a virtual data set takes and fills, as far as they can be followed.

    Args:
        mapping: Version (1 byte), number of sources (8), and for each the names of its file and data set, ended by
            zeros, and two selections; a checksum (4).
    """
    most, place = 0, 9
    while mapping[:1] == b"\0" and place + 22 < len(mapping):
        names_end = mapping.find(b"\0", mapping.find(b"\0", place) + 1)
        place = names_end + 1
        for _ in range(2):
            try:
                axes, place = _selection(mapping, place)
            except struct.error:
                return most
            most = max(most, axes)
            if place == 0 or axes > _MOST_AXES:
                return most
    return most


def _selection(content: bytes, place: int) -> tuple[int, int]:
    """Axes of the selection at a place, and where it ends; 0 where its form is not known."""
    kind, version, flags, width = struct.unpack_from("<IIBB", content, place)
    form = kind, version
    if form in ((0, 1), (3, 1)):  # nothing, everything
        return 0, place + 16
    if form in ((1, 1), (2, 1), (2, 2)):  # points or blocks behind their length in bytes
        start = place + (13 if version == 2 else 16)
        length, axes = struct.unpack_from("<II", content, start - 4)
        return axes, start + length
    if form == (2, 3):  # blocks by numbers of so many bytes
        (axes,) = struct.unpack_from("<I", content, place + 10)
        count = int.from_bytes(content[place + 14 : place + 14 + width], "little")
        return axes, place + 14 + width * axes * 4 if flags & 1 else place + 14 + width * (1 + 2 * axes * count)
    if form == (1, 2):  # points by numbers of so many bytes
        (axes,) = struct.unpack_from("<I", content, place + 9)
        count = int.from_bytes(content[place + 13 : place + 13 + flags], "little")
        return axes, place + 13 + flags * (1 + axes * count)
    return 0, 0
