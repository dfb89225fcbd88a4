from pathlib import Path
from xml.etree import ElementTree


def read_vti_notes(path: Path) -> dict[str, str]:
    """Texts by name of a file of write_vti, as ParaView reads them."""
    root = ElementTree.fromstring(path.read_bytes().partition(b"<AppendedData")[0] + b"</VTKFile>")
    return {
        item.attrib["Name"]: bytes(int(code) for code in (item.text or "").split()).rstrip(b"\0").decode()
        for item in root[0].iterfind("FieldData/Array")
    }
