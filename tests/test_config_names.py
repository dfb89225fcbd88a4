"""Every file of conf/ can be found by a reader: another file, the README, the docs or a benchmark names it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("conf", "benchmarks", "docs")


def test_every_option_is_named_somewhere() -> None:
    texts = {
        path: path.read_text()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yaml", ".py", ".md")
    }
    texts |= {path: path.read_text() for path in [*ROOT.glob("*.md"), ROOT / "Makefile"]}
    unnamed = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "conf").glob("*/*.yaml"))
        if not any(re.search(rf"\b{path.stem}\b", text) for other, text in texts.items() if other != path)
    ]
    assert not unnamed
