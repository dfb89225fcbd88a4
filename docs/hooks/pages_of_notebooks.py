"""Pages that are the notebooks of docs/notebooks: Jupyter's .ipynb with its outputs, or .py in cells of ``# %%``."""

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
_CELL = re.compile(r"^# %%( .*)?$", re.MULTILINE)


def notebooks() -> list[Path]:
    """The notebooks in the order of their names; of one stem the .ipynb, which has the outputs."""
    found = {path.stem: path for suffix in ("py", "ipynb") for path in sorted(NOTEBOOKS.glob(f"*.{suffix}"))}
    return [found[stem] for stem in sorted(found)]


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
            yield _fenced("python", body.replace("# %%", "%%"))  # magics, which are comments in .py


def _jupyter(cells: list[dict[str, Any]]) -> Iterator[str]:
    for cell in cells:
        source = "".join(cell["source"])
        yield source if cell["cell_type"] == "markdown" else _fenced("python", source)
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
    return _fenced("text", data.get("text/plain", "") or "".join(output.get("text", "")))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```" if text.strip() else ""
