"""Check of the global heaps of an HDF5 file, which hold text, lists of variable length and virtual mappings.

The HDF5 library reads a heap object by object and advances by the size that each one states: an unused object of size
0 makes it loop for ever. It trusts the number of axes of a mapping, and too large a number ends the process. Such files
are refused before the library opens them. Source: HDF5 file format specification, III.E, "Disk Format: Level 1E -
Global Heap", and VIII, "Dataspace Selection".
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from spi_lightning.errors import UserError

_SIGNATURE: Final = b"GCOL\x01\x00\x00\x00"  # with version 1 and the reserved bytes
_SUPERBLOCK: Final = b"\x89HDF\r\n\x1a\n"
_HEADER: Final = 16  # bytes of the header of a heap, and of each object
_SEARCHED: Final = 256 << 20  # bytes; in larger files half at each end, where writers put text
_BLOCK: Final = 16 << 20
_MAX_AXES: Final = 32


def require_sound_heaps(path: Path) -> None:
    """Refuse an HDF5 file with a global heap that would make the HDF5 library loop for ever or crash.

    Only the first and the last 128 MiB of a file above 256 MiB are searched: all of it would take seconds.

    Raises:
        UserError: A heap is damaged in this way.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for start in list(_find(file, size, _SIGNATURE)):
            file.seek(start + len(_SIGNATURE))
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            if not _HEADER <= length <= size - start:
                continue
            for number, stated, content in _objects(file.read(length - _HEADER)):
                if number == stated == 0:
                    raise UserError(
                        f"{path}: the HDF5 file is damaged in a heap of text and lists (byte {start}); copy it again"
                    )
                if _max_axes(content) > _MAX_AXES and _is_mapping(file, size, start, number):
                    raise UserError(
                        f"{path}: the HDF5 file is damaged in the source list of a virtual data set (byte {start}); "
                        "copy it again"
                    )


def _find(file: BinaryIO, size: int, content: bytes) -> Iterator[int]:
    """Offsets of a byte string in the searched part of a file, byte."""
    starts = [
        *range(0, min(size, _SEARCHED // 2), _BLOCK),
        *range(max(_SEARCHED // 2, size - _SEARCHED // 2), size, _BLOCK),
    ]
    for start in starts:
        file.seek(start)
        block = file.read(_BLOCK + len(content) - 1)
        offset = block.find(content)
        while offset >= 0:
            yield start + offset
            offset = block.find(content, offset + 1)


def _is_mapping(file: BinaryIO, size: int, heap: int, number: int) -> bool:
    """Whether the layout of a virtual data set refers to an object of the heap at an offset as its source list."""
    base = next(_find(file, size, _SUPERBLOCK), 0)  # addresses count from here
    layout = b"\x03" + struct.pack("<QI", heap - base, number)
    return any(True for _ in _find(file, size, layout))


def _objects(heap: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, size and content of the objects of a heap, in the order the library reads them; number 0 is unused."""
    offset = 0
    while offset + _HEADER <= len(heap):
        number, size = struct.unpack_from("<H6xQ", heap, offset)
        yield number, size, heap[offset + _HEADER : offset + _HEADER + size]
        if number == size == 0:
            return  # here the library loops
        offset += size if number == 0 else _HEADER + -(-size // 8) * 8


def _max_axes(mapping: bytes) -> int:
    """Largest number of axes of the source and target selections of a virtual data set, up to the first unknown form.

    Args:
        mapping: Version (1 byte), number of sources (8), and for each the names of its file and data set, ended by
            zeros, and two selections; a checksum (4).
    """
    largest, offset = 0, 9
    while mapping[:1] == b"\0" and offset + 22 < len(mapping):
        names_end = mapping.find(b"\0", mapping.find(b"\0", offset) + 1)
        offset = names_end + 1
        for _ in range(2):
            try:
                axes, offset = _selection(mapping, offset)
            except struct.error:
                return largest
            largest = max(largest, axes)
            if offset == 0 or axes > _MAX_AXES:
                return largest
    return largest


def _selection(content: bytes, offset: int) -> tuple[int, int]:
    """Number of axes of the selection at an offset, and the offset of its end; 0, 0 where its form is unknown."""
    kind, version, flags, width = struct.unpack_from("<IIBB", content, offset)
    form = kind, version
    if form in ((0, 1), (3, 1)):  # nothing, everything
        return 0, offset + 16
    if form in ((1, 1), (2, 1), (2, 2)):  # points or blocks after their length in bytes
        start = offset + (13 if version == 2 else 16)
        length, axes = struct.unpack_from("<II", content, start - 4)
        return axes, start + length
    if form == (2, 3):  # blocks, numbers of `width` bytes
        (axes,) = struct.unpack_from("<I", content, offset + 10)
        count = int.from_bytes(content[offset + 14 : offset + 14 + width], "little")
        return axes, offset + 14 + width * axes * 4 if flags & 1 else offset + 14 + width * (1 + 2 * axes * count)
    if form == (1, 2):  # points, numbers of `flags` bytes
        (axes,) = struct.unpack_from("<I", content, offset + 9)
        count = int.from_bytes(content[offset + 13 : offset + 13 + flags], "little")
        return axes, offset + 13 + flags * (1 + axes * count)
    return 0, 0
