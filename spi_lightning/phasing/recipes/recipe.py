"""Phasing recipes: updates in their order, as a line of text, as YAML, or as frozen dataclasses.

The line ``50*ER + 20*(100*HIO(0.9) + 10*ER) + shrinkwrap(1.0, 0.1)/10`` reads: 50 error reductions, then 20 times 100
HIO with beta 0.9 and 10 error reductions; after every tenth update, counted over the whole recipe, the support is drawn
anew. ``shrinkwrap`` acts within the brackets it stands in. ``refine(5*ER)`` runs on a copy of the density: the support
that it draws is kept, the iterate itself stays as it was before (the reading of "5 ER every 5th HIO" in
PyPhase, the code of Bellisario & Ekeberg 2024); written in plain brackets the updates are interleaved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spi_lightning.errors import UserError

from .recipe_list import from_list
from .recipe_parts import Action, Group, actions_of, as_list, has_shrinkwrap, length
from .recipe_text import parse


@dataclass(frozen=True)
class Recipe:
    """Phasing recipe; ``str`` gives its line, ``as_list`` its YAML form, ``read_recipe`` reads either."""

    whole: Group

    def __str__(self) -> str:
        return " + ".join(str(part) for part in (*self.whole.parts, *self.whole.shrinkwraps))

    @property
    def iterations(self) -> int:
        """Number of updates, those on copies included."""
        return length(self.whole)

    @property
    def moves_support(self) -> bool:
        """Whether the recipe holds a shrink-wrap."""
        return has_shrinkwrap(self.whole)

    def actions(self) -> Iterator[Action]:
        """All actions of the recipe, in order."""
        return actions_of(self.whole, ())

    def as_list(self) -> list[dict[str, Any]]:
        """YAML form: plain lists and dicts."""
        return as_list(self.whole)


def read_recipe(source: str | Sequence[Any] | Recipe, setting: str | None = None) -> Recipe:
    """Read a recipe from its line, from its YAML form or from itself.

    Args:
        source: Line of text, YAML form or Recipe.
        setting: Name of the option that holds the recipe, for the error.

    Raises:
        UserError: The recipe has a mistake; the message counts characters from 1 and marks the position by ``>>>``.
    """
    if isinstance(source, Recipe):
        return source
    try:
        return Recipe(parse(source) if isinstance(source, str) else from_list(source))
    except UserError as error:
        raise (error if setting is None else UserError(f"{setting}: {error}")) from None
