"""Names in HDF5 files that are not UTF-8: read as paths are, stray bytes as surrogates.

h5py gives such names as bytes and everything else as str, and takes no surrogates back. One rule for all names keeps
sound files readable in which one motor is called by a Latin-1 word; `printable` shows the bytes.
"""

from __future__ import annotations

from typing import Any, Final

import h5py

try:  # h5py's own, of the releases that the lock and pyproject name
    from h5py._hl.base import CommonStateObject

    _encode: Any = CommonStateObject._e
except (ImportError, AttributeError):  # another h5py: such names are refused by it, all others are read
    CommonStateObject = _encode = None
_holds: Final = h5py.Group.__contains__


def _decoded(_: Any, name: bytes | None) -> str | None:
    return None if name is None else name.decode("utf-8", "surrogateescape")


def _encoded(self: Any, name: Any, lcpl: Any = None) -> Any:
    if isinstance(name, str):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            name = name.encode("utf-8", "surrogateescape")
    return _encode(self, name, lcpl)


def _contains(self: h5py.Group, name: Any) -> bool:
    try:
        return bool(_holds(self, name))
    except UnicodeDecodeError:  # h5py looks at the names on the way as UTF-8
        return self.get(name) is not None


def names_as_in_paths() -> None:
    """Have h5py read and take names so, in this process."""
    if CommonStateObject is not None and hasattr(CommonStateObject, "_d"):
        CommonStateObject._d, CommonStateObject._e = _decoded, _encoded
        h5py.Group.__contains__ = _contains
