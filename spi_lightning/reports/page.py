"""A page is sections of blocks; the template lays them out and escapes every word of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spi_lightning import __version__
from spi_lightning.files import atomic_write
from spi_lightning.printable import printable


@dataclass(frozen=True)
class Picture:
    """A figure as data URI, its title above and its caption below; the page repeats both for those who cannot see."""

    source: str
    title: str
    caption: str = ""
    wide: bool = False
    kind: str = field(default="picture", init=False)


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column names the row. Numbers are right-aligned if ``numeric``."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numeric: bool = True
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Surface:
    """A plotly figure that can be turned: its JSON as plotly writes it (``<`` escaped), title and caption.

    The library is put into the page once, however many figures there are.
    """

    figure: str
    title: str
    caption: str = ""
    wide: bool = False
    kind: str = field(default="surface", init=False)


@dataclass(frozen=True)
class Lines:
    """Plain sentences, as a list if there are several."""

    lines: Sequence[str]
    kind: str = field(default="lines", init=False)


@dataclass(frozen=True)
class Fold:
    """Preformatted text that opens on a click."""

    title: str
    text: str
    kind: str = field(default="fold", init=False)


@dataclass(frozen=True)
class Section:
    """A heading of the page and what stands under it; pictures that are not wide stand side by side."""

    title: str
    blocks: Sequence[Picture | Surface | Table | Lines | Fold]

    @property
    def anchor(self) -> str:
        """Name for links: the title in lower case with hyphens."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def _printable_lines(value: Any) -> Any:
    """Text of the page without control characters; what the template has marked as safe stays."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(printable(line) for line in value.split("\n"))


def write_page(path: Path, title: str, subtitle: str, sections: Sequence[Section]) -> Path:
    """Write one self-contained HTML file, whole or not at all; it needs no network and no other file."""
    environment = Environment(
        loader=PackageLoader("spi_lightning.reports"),
        autoescape=True,
        finalize=_printable_lines,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    turned = any(isinstance(block, Surface) for section in sections for block in section.blocks)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = environment.get_template("page.html.j2").render(
        title=title,
        subtitle=subtitle,
        sections=sections,
        version=__version__,
        made=made,
        plotly=_plotly() if turned else "",
    )
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _plotly() -> str:
    """The whole library, so that the page needs no network."""
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # slow to import, and few pages need it

    return str(get_plotlyjs())
