"""HTML page of a run: sections of blocks, laid out and escaped by one template."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spi_lightning import __version__
from spi_lightning.files import atomic_write
from spi_lightning.notes import Level, Note, note_lines
from spi_lightning.printable import printable


@dataclass(frozen=True)
class Tile:
    """Upright strip of a wide figure, as data URI, and its share of the figure's width."""

    source: str
    share: float = 1.0


@dataclass(frozen=True)
class Picture:
    """Figure as data URI, with a title above and a caption below; both are its alternative text.

    Tiles of a wide figure stand side by side as in the figure, on narrow screens below one another.
    """

    source: str | Sequence[Tile]
    title: str
    caption: str = ""
    wide: bool = False
    kind: str = field(default="picture", init=False)

    @property
    def tiles(self) -> Sequence[Tile]:
        """Tiles of the figure, which may be one."""
        return [Tile(self.source)] if isinstance(self.source, str) else self.source


@dataclass(frozen=True)
class Scale:
    """Colour scale of panels.

    Attributes:
        colours: Colours in hex at even steps from the lowest value to the highest.
        ticks: Position of each label, 0 to 1, and its text.
        label: Quantity of the scale and its unit.
    """

    colours: Sequence[str]
    ticks: Sequence[tuple[float, str]]
    label: str


@dataclass(frozen=True)
class Panel:
    """Images above one another, as data URIs, with a caption; ``colour`` is that of their border and the caption."""

    sources: Sequence[str]
    text: str
    colour: str = "#1f2933"


@dataclass(frozen=True)
class Panels:
    """Grid of panels under a title, as many in a row as the page is wide, with their colour scales and a caption."""

    title: str
    panels: Sequence[Panel]
    scales: Sequence[Scale] = ()
    caption: str = ""
    kind: str = field(default="panels", init=False)


@dataclass(frozen=True)
class Table:
    """Table of text; the first column names the row. Other columns are right-aligned if ``numeric``."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numeric: bool = True
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Surface:
    """Surface in 3D that can be rotated: its mesh as JSON (``<`` escaped, see surfaces.py), title and caption."""

    mesh: str
    title: str
    caption: str = ""
    wide: bool = False
    kind: str = field(default="surface", init=False)


@dataclass(frozen=True)
class Lines:
    """Sentences: a paragraph if there is one, a list if there are more."""

    lines: Sequence[str]
    kind: str = field(default="lines", init=False)


@dataclass(frozen=True)
class Fold:
    """Preformatted text, folded until it is clicked on."""

    title: str
    text: str
    kind: str = field(default="fold", init=False)


@dataclass(frozen=True)
class FrameTable:
    """Folded table of many frames that a script on the page sorts and filters.

    Attributes:
        title: Words on which a click opens the table.
        data: JSON of columns and groups, see reports.hits.frame_table.
        caption: Sentences above the table.
    """

    title: str
    data: str
    caption: str = ""
    kind: str = field(default="frames", init=False)


@dataclass(frozen=True)
class Section:
    """Heading of the page with its blocks; pictures that are not wide stand side by side."""

    title: str
    blocks: Sequence[Picture | Panels | Surface | Table | FrameTable | Lines | Fold]

    @property
    def anchor(self) -> str:
        """Name of the section in links: the title in lower case with hyphens."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def notes_section(notes: Iterable[Note], *blocks: Fold | Table) -> Section:
    """Section with all notes, and blocks below them."""
    return Section("Notes", [Lines(note_lines(notes) or ["Nothing to note."]), *blocks])


def warnings_of(notes: Iterable[Note]) -> list[Lines]:
    """Reasons to doubt a result, which stand below the answer; none without warnings."""
    lines = note_lines(notes, Level.WARNING)
    return [Lines(lines)] if lines else []


def json_for_page(value: Any) -> str:
    """JSON that no browser reads as markup."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def base64_of(content: bytes) -> str:
    """Bytes as text in base64."""
    return base64.b64encode(content).decode("ascii")


def _printable_lines(value: Any) -> Any:
    """Text without control characters; markup that the template calls safe is unchanged."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(printable(line) for line in value.split("\n"))


def write_page(path: Path, title: str, subtitle: str, sections: Sequence[Section]) -> Path:
    """Write one HTML file by an atomic write; it needs no network and no other file.

    Args:
        path: HTML file to write.
        title: Title of the page and of the browser's tab.
        subtitle: Line below the title, such as the run or the file of the patterns.
        sections: Sections in their order on the page.
    """
    environment = Environment(
        loader=PackageLoader("spi_lightning.reports"),
        autoescape=True,
        finalize=_printable_lines,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kinds = {block.kind for section in sections for block in section.blocks}
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = environment.get_template("page.html.j2").render(
        title=title,
        subtitle=subtitle,
        sections=sections,
        version=__version__,
        made=made,
        has_surfaces="surface" in kinds,
        has_frames="frames" in kinds,
    )
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
