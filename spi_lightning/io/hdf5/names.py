"""Names of HDF5 objects that are not UTF-8, decoded as Python decodes paths: stray bytes become surrogates.

h5py returns such names as bytes and all others as str, and does not accept surrogates. With one rule for all names, a
sound file with one motor named in Latin-1 stays readable; `printable` escapes the bytes.
"""

from __future__ import annotations

from typing import Any, Final

import h5py

try:  # h5py's own, of the releases that the lock and pyproject name
    from h5py._hl.base import CommonStateObject

    _encode: Any = CommonStateObject._e
except (ImportError, AttributeError):  # another h5py, which refuses such names and reads all others
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
    except UnicodeDecodeError:  # h5py decodes the names along the path as UTF-8
        return self.get(name) is not None


def decode_names_as_paths() -> None:
    """Patch h5py in this process to decode and encode names with surrogateescape."""
    if CommonStateObject is not None and hasattr(CommonStateObject, "_d"):
        CommonStateObject._d, CommonStateObject._e = _decoded, _encoded
        h5py.Group.__contains__ = _contains
