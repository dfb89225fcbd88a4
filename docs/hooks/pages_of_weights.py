"""Model cards as pages of the reference, made from spi_lightning/weights/ when the site is built."""

from markdown_text import code, prose, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pages_of_settings import lists_of

from spi_lightning.weights import ModelCard, read_card, shipped_names

FOLDER = "reference/weights"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The cards stand in the navigation behind their index."""
    for entries in list(lists_of(config.nav)):
        if f"{FOLDER}/index.md" in entries:
            entries.extend({name: f"{FOLDER}/{name}.md"} for name in shipped_names())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    for name in shipped_names():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=card_page(read_card(name))))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The index ends with a table of all weights."""
    if page.file.src_uri != f"{FOLDER}/index.md":
        return markdown
    cards = [read_card(name) for name in shipped_names()]
    rows = [(f"[{code(c.name)}]({c.name}.md)", prose(c.summary), f"{c.path.stat().st_size / 1e6:.1f}") for c in cards]
    return f"{markdown}\n\n{table(('name', 'answers', 'MB'), rows)}"


def card_page(card: ModelCard) -> str:
    """A card as Markdown."""
    facts = {"network": card.network, "input": card.input, "trained on": card.data}
    facts |= {"chosen by": card.objective, "threshold": "none" if card.threshold is None else f"{card.threshold:.3g}"}
    facts |= {"licence": card.licence, "commit": card.commit, "sha256": card.sha256}
    rows = [
        (result.measure, f"{result.value:.3g}", _interval(result.interval), prose(result.data), code(result.command))
        for result in card.results
    ]
    parts = [
        f"# {card.name}",
        prose(card.summary),
        table(("", ""), [(title, prose(text)) for title, text in facts.items()]),
        "## Numbers on data that it was not trained on",
        table(("measure", "value", "95 % interval", "data", "command"), rows),
        "## Measured within",
        _listed(card.domain),
        "## Known to go wrong",
        _listed(card.failures),
        "## Made again by",
        "```bash\n" + "\n".join(card.commands) + "\n```",
    ]
    return "\n\n".join(parts)


def _interval(interval: object) -> str:
    return f"{interval[0]:.3g}–{interval[1]:.3g}" if isinstance(interval, list) else ""


def _listed(lines: object) -> str:
    return "\n".join(f"- {prose(line)}" for line in lines) if isinstance(lines, list) else ""
