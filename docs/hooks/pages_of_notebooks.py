"""Pages that are the notebooks of docs/notebooks, .py in cells of ``# %%``; with outputs after `make notebooks`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_text import table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
INDEX = "tutorials.md"
EXECUTED = NOTEBOOKS.parents[1] / "build" / "notebooks"
_CELL = re.compile(r"^# %%( .*)?$", re.MULTILINE)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours of a terminal


def notebooks() -> list[Path]:
    """The notebooks in the order of their names, as they were executed if that was after their last change."""
    return [_executed(path) or path for path in sorted(NOTEBOOKS.glob("*.py"))]


def _executed(source: Path) -> Path | None:
    made = EXECUTED / f"{source.stem}.ipynb"
    return made if made.is_file() and made.stat().st_mtime >= source.stat().st_mtime else None


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The notebooks stand in the navigation behind the page of the tutorials."""
    for section in config.nav or []:
        entries = next(iter(section.values())) if isinstance(section, dict) else None
        if isinstance(entries, list) and INDEX in entries:
            entries.extend(f"notebooks/{path.stem}.md" for path in notebooks())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    for path in notebooks():
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=as_markdown(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page of the tutorials ends with a table of the notebooks: their titles and first paragraphs."""
    if page.file.src_uri != INDEX or not notebooks():
        return markdown
    rows = [(f"[{title}](notebooks/{path.stem}.md)", about) for path in notebooks() for title, about in [_head(path)]]
    return f"{markdown}\n\n{table(('notebook', 'what it shows'), rows)}"


def _head(path: Path) -> tuple[str, str]:
    """Title of a notebook and the paragraph below it."""
    title, about, *_ = [part for part in as_markdown(path).split("\n\n") if part.strip()]
    first, _, rest = title.partition("\n")
    return first.lstrip("# "), rest.strip() or about


def as_markdown(path: Path) -> str:
    """A notebook as Markdown."""
    text = path.read_text(encoding="utf-8")
    cells = _jupyter(json.loads(text)["cells"]) if path.suffix == ".ipynb" else _percent(text)
    return "\n\n".join(cell for cell in cells if cell.strip())


def _percent(text: str) -> Iterator[str]:
    parts = _CELL.split(text)[1:]
    for mark, body in zip(parts[::2], parts[1::2], strict=True):
        if "[markdown]" in (mark or ""):
            yield "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
        else:
            bash = "bash" in (mark or "")
            yield _fenced("bash", re.sub("^# ?", "", body, flags=re.MULTILINE)) if bash else _code(_magics(body))


def _magics(body: str) -> str:
    """Source of a cell, whose magics are comments in .py."""
    return body.replace("# %%", "%%")


def _code(source: str) -> str:
    """A cell of Python, or of the shell."""
    shell = source.startswith("%%bash\n")
    return _fenced("bash" if shell else "python", source.removeprefix("%%bash\n"))


def _jupyter(cells: list[dict[str, Any]]) -> Iterator[str]:
    for cell in cells:
        source = "".join(cell["source"])
        yield source if cell["cell_type"] == "markdown" else _code(source)
        yield from (_output(each) for each in cell.get("outputs", ()))


def _output(output: dict[str, Any]) -> str:
    """Picture, table or text of an output, the first of these that it has."""
    data = {
        kind: "".join(value) if isinstance(value, list) else value for kind, value in output.get("data", {}).items()
    }
    if "image/png" in data:
        return f'<img alt="output of the cell above" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        return f"<div>{data['text/html']}</div>"
    return _fenced("text", _ESCAPES.sub("", data.get("text/plain", "") or "".join(output.get("text", ""))))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```" if text.strip() else ""
