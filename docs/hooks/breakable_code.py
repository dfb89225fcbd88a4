"""Inline code in tables breaks behind a dot, a comma or an underscore, so that no table is cut on a narrow screen."""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_CELL = re.compile(r"<td.*?</td>", re.DOTALL)
_CODE = re.compile(r"(<code>)([^<]{13,}?)(</code>)")
_MARK = re.compile(r"(?<=[._,=/:\[{(+])(?=[^\s._,=/:])")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Add the places where long code in cells may break."""
    return _CELL.sub(lambda cell: _CODE.sub(_breakable, cell[0]), html)


def _breakable(found: re.Match[str]) -> str:
    parts = re.split(r"(&\w+;)", found[2])  # an entity stays whole
    return found[1] + "".join(part if part.startswith("&") else _MARK.sub("<wbr>", part) for part in parts) + found[3]
