"""Pages that are files of the repository, with their links made those of the site."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"benchmarks.md": "benchmarks/RESULTS.md", "changes.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    for page, source in PAGES.items():
        text = page_of(ROOT / source)
        files.append(File.generated(config, page, content=text))
    return files


def page_of(path: Path) -> str:
    """Text of a file, its links relative to docs/; a link to a file that is no page becomes its name."""

    def linked(found: re.Match[str]) -> str:
        target = (path.parent / found[1]).resolve()
        pages = {ROOT / source: page for page, source in PAGES.items()}
        if target in pages:
            return f"]({pages[target]}{found[2] or ''})"
        if target.is_relative_to(ROOT / "docs"):
            return f"]({target.relative_to(ROOT / 'docs')}{found[2] or ''})"
        raise ValueError(f"{path}: link to {found[1]}, which is not a page of the site")

    return _LINK.sub(linked, path.read_text(encoding="utf-8"))
