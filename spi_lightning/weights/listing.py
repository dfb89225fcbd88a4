"""Shipped weights on the terminal: the list of all, and the card of one."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from spi_lightning.console import Terminal

from .card import ModelCard, Result


def print_weights(cards: Sequence[ModelCard]) -> None:
    """Print one line for each: name, what it answers, size of its file, first number."""
    table = Table(title="weights that come with the package: spi weights NAME prints a card", title_justify="left")
    for title in ("name", "answers", "MB", "held-back data"):
        table.add_column(title, overflow="fold", justify="right" if title == "MB" else "left")
    for card in cards:
        size = f"{card.path.stat().st_size / 1e6:.1f}"
        table.add_row(card.name, card.summary, size, result_line(card.results[0]) if card.results else "none")
    Terminal(width=100).print(table)


def print_card(card: ModelCard) -> None:
    """Print a model card, each field under its title."""
    for line in card_lines(card):
        Terminal().print(line, soft_wrap=True)


def card_lines(card: ModelCard) -> Iterator[str]:
    """Lines of a card."""
    yield f"{card.name}: {card.summary}"
    facts = {"network": card.network, "input": card.input, "trained on": card.data}
    facts |= {"chosen by": card.objective, "threshold": "none" if card.threshold is None else f"{card.threshold:.3g}"}
    facts |= {"licence": card.licence, "made by": f"commit {card.commit}", "sha256": card.sha256}
    for title, text in facts.items():
        yield f"  {title:<11} {text}"
    lists = {
        "results on data that it was not trained on": [result_line(result) for result in card.results],
        "measured within": card.domain,
        "known to go wrong": card.failures,
        "made again by": card.commands,
    }
    for title, lines in lists.items():
        yield title
        yield from (f"  {line}" for line in lines or ["nothing is noted"])


def result_line(result: Result) -> str:
    """A number with its interval and the data it was measured on."""
    interval = "" if result.interval is None else f" [{result.interval[0]:.3g}, {result.interval[1]:.3g}]"
    return f"{result.measure} {result.value:.3g}{interval}, {result.data}"
