"""``{time NAME}`` in a page becomes the measured time of a command, of benchmarks/results/first_answers.json."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

TIMES = Path(__file__).resolve().parents[2] / "benchmarks/results/first_answers.json"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the names by times; a name that was not measured is an error of the build."""
    measured = json.loads(TIMES.read_text(encoding="utf-8"))["commands"]
    return re.sub(r"\{time (\w+)\}", lambda found: in_words(measured[found[1]]["seconds"]), markdown)


def in_words(seconds: float) -> str:
    """Whole seconds, or minutes from two of them on."""
    return f"{round(seconds)} s" if seconds < 120 else f"{round(seconds / 60)} min"
