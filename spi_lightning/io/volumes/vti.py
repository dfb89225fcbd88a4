"""Reader and writer of volumes for ParaView: VTK image data (.vti) with appended raw arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.io.reading import reads

_TYPES: Final = {
    "float32": "Float32",
    "float64": "Float64",
    "int32": "Int32",
    "uint8": "UInt8",
    "uint32": "UInt32",
    "int64": "Int64",
}
_MARK: Final = b'<AppendedData encoding="raw">\n_'


def write_vti(
    path: str | Path,
    arrays: Mapping[str, ArrayLike],
    spacing: ArrayLike = 1.0,
    origin: ArrayLike | None = None,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Write volumes on one uniform grid, atomically.

    Args:
        path: Path of the file to write.
        arrays: Name -> (z, y, x), all of one shape; bool becomes 0 and 1, complex becomes `name_amplitude` and
            `name_phase` (rad). Put the unit into the name: the format has no field for it.
        spacing: Edge of a voxel, one number or z, y, x; nm is a good unit for ParaView.
        origin: Position of voxel (0, 0, 0), z, y, x, in the same unit; None puts n // 2 at 0.
        notes: Plain text by name, e.g. the frame, which ParaView displays as field data.

    Raises:
        UserError: No arrays, other shapes or dtypes, or a file that cannot be written.
    """
    volumes = _volumes(path, arrays)
    shape = next(iter(volumes.values())).shape
    steps = np.broadcast_to(np.asarray(spacing, dtype=float), (3,))
    start = -steps * (np.array(shape) // 2) if origin is None else np.asarray(origin, dtype=float)
    header = _header(volumes, shape, steps, start, notes or {})
    with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(header + _MARK)
        for volume in volumes.values():
            file.write(np.uint64(volume.nbytes).tobytes())
            file.write(volume.tobytes())
        file.write(b"\n</AppendedData>\n</VTKFile>\n")
    return Path(path)


@reads("VTK image data", also=(KeyError, IndexError))
def read_vti(path: str | Path) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Arrays (z, y, x) and spacing z, y, x of a file of write_vti; UserError for any other."""
    raw = Path(path).read_bytes()
    start = raw.find(_MARK)
    if start < 0:
        raise UserError(f"{path}: not VTK image data with appended raw arrays; give a file of this package")
    root = ElementTree.fromstring(raw[:start] + b"</VTKFile>")
    image = root[0]
    extent = [int(part) for part in image.attrib["WholeExtent"].split()]
    shape = (extent[5] + 1, extent[3] + 1, extent[1] + 1)
    numpy_types = {vtk: name for name, vtk in _TYPES.items()}
    found = {}
    for item in image.iterfind("Piece/PointData/DataArray"):
        begin = start + len(_MARK) + int(item.attrib["offset"])
        size = int(np.frombuffer(raw[begin : begin + 8], np.uint64)[0])
        values = np.frombuffer(raw[begin + 8 : begin + 8 + size], numpy_types[item.attrib["type"]])
        found[item.attrib["Name"]] = values.reshape(shape)
    return found, np.array([float(part) for part in image.attrib["Spacing"].split()])[::-1]


@reads("VTK image data")
def read_vti_notes(path: str | Path) -> dict[str, str]:
    """Texts by name of a file of write_vti, which ParaView displays as field data."""
    root = ElementTree.fromstring(Path(path).read_bytes().partition(b"<AppendedData")[0] + b"</VTKFile>")
    return {
        item.attrib["Name"]: bytes(int(code) for code in (item.text or "").split()).rstrip(b"\0").decode()
        for item in root[0].iterfind("FieldData/Array")
    }


def _volumes(path: str | Path, arrays: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Arrays (z, y, x) in dtypes of VTK, little-endian, C order (x is the fast axis, as in VTK)."""
    volumes: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        values = np.asarray(array)
        if values.dtype.kind == "c":
            volumes |= {f"{name}_amplitude": np.abs(values), f"{name}_phase": np.angle(values)}
        else:
            volumes[name] = values.astype(np.uint8) if values.dtype.kind == "b" else values
    shapes = {volume.shape for volume in volumes.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise UserError(f"{path}: arrays of shapes {sorted(shapes)}; give volumes (z, y, x) of one shape")
    if odd := [str(volume.dtype) for volume in volumes.values() if str(volume.dtype) not in _TYPES]:
        raise UserError(f"{path}: VTI does not support {odd[0]}; choose one of {', '.join(_TYPES)}, bool or complex")
    return {
        name: np.ascontiguousarray(volume.astype(volume.dtype.newbyteorder("<"))) for name, volume in volumes.items()
    }


def _header(
    volumes: Mapping[str, NDArray[Any]], shape: tuple[int, ...], steps: Any, start: Any, notes: Mapping[str, str]
) -> bytes:
    """XML header before the raw bytes; VTK orders axes x, y, z."""
    extent = " ".join(f"0 {n - 1}" for n in reversed(shape))
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        f'<ImageData WholeExtent="{extent}" Origin="{_numbers(start)}" Spacing="{_numbers(steps)}">',
        *_fields(notes),
        f'<Piece Extent="{extent}">',
        f"<PointData Scalars={quoteattr(next(iter(volumes)))}>",
    ]
    offset = 0
    for name, volume in volumes.items():
        kind = _TYPES[volume.dtype.name]
        lines.append(f'<DataArray type="{kind}" Name={quoteattr(name)} format="appended" offset="{offset}"/>')
        offset += 8 + volume.nbytes
    lines += ["</PointData>", "<CellData/>", "</Piece>", "</ImageData>", ""]
    return "\n".join(lines).encode()


def _fields(notes: Mapping[str, str]) -> list[str]:
    """Lines of field data with texts as VTK stores them: the numbers of their bytes, with a 0 at the end."""
    if not notes:
        return []
    lines = [
        f'<Array type="String" Name={quoteattr(name)} NumberOfTuples="1" format="ascii">'
        f"{' '.join(str(code) for code in (*text.encode(), 0))}</Array>"
        for name, text in notes.items()
    ]
    return ["<FieldData>", *lines, "</FieldData>"]


def _numbers(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.9g}" for value in reversed(values))
