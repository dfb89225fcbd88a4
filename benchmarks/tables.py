"""Write the tables of RESULTS.md from the numbers in benchmarks/results: python -m benchmarks.tables, or make results.

A table stands in RESULTS.md between the lines ``<!-- table: NAME -->`` and ``<!-- end of table -->``; all other text is
written by hand. How the table is made of the numbers stands in benchmarks/templates/*.md.j2, after the line
``=== NAME``: a Jinja template in which ``result(NAME)`` is benchmarks/results/NAME.json. A table whose benchmark left
nothing but its printed numbers has no template: results/NAME.json holds its head and rows, with command and conditions.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from benchmarks.record import RESULTS
from spi_lightning.files import write_text

PAGE = Path(__file__).parent / "RESULTS.md"
TEMPLATES = Path(__file__).parent / "templates"
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


@cache
def result(name: str) -> dict[str, Any]:
    """The numbers of one benchmark."""
    numbers: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return numbers


@cache
def templates() -> dict[str, str]:
    """Name of a table -> its template."""
    found: dict[str, str] = {}
    for path in sorted(TEMPLATES.glob("*.md.j2")):
        parts = re.split(r"^=== (\w+)\n", path.read_text(), flags=re.MULTILINE)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


def per_cent(share: float, digits: int = 0) -> str:
    """A share as a percentage: 0.5 -> 50 %."""
    return f"{100 * share:.{digits}f} %"


def span(shares: Iterable[float], digits: int = 1) -> str:
    """Least and largest share as percentages: 0.8–1.2 %."""
    low, high = min(values := list(shares)), max(values)
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f} %"


def short(value: float) -> str:
    """Two digits or more: 0.4, 7.6, 43, 4,320."""
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def scientific(value: float) -> str:
    """One digit and a power of ten: 3·10⁻⁷; of a power of ten that alone: 10⁴."""
    digit, exponent = f"{value:.0e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if digit == "1" else f"{digit}·{power}"


def table(name: str) -> str:
    """One table as Markdown, with a newline at its end."""
    if name not in templates():
        printed = result(name)["printed"]
        rows = [printed["head"], ["---"] * len(printed["head"]), *printed["rows"]]
        return "".join(f"|{'|'.join(row)}|\n" if row[0] == "---" else _line(row) for row in rows)
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False)
    environment.filters |= {"f": format, "p": per_cent, "span": span, "short": short, "scientific": scientific}
    environment.globals["result"] = result
    return environment.from_string(templates()[name]).render().strip("\n") + "\n"


def _line(cells: list[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n"


def page(text: str) -> str:
    """RESULTS.md with every table written anew."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)


if __name__ == "__main__":
    write_text(PAGE, page(PAGE.read_text()))
    print(f"{PAGE}: {len(_TABLE.findall(PAGE.read_text()))} tables")
