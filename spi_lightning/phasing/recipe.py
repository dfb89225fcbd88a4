"""Phasing recipes: updates in their order, as a line of text, as YAML, or as frozen dataclasses.

The line ``50*ER + 20*(100*HIO(0.9) + 10*ER) + shrinkwrap(1.0, 0.1)/10`` reads: 50 error reductions, then 20 times 100
HIO with beta 0.9 and 10 error reductions; after every tenth update, counted over the whole recipe, the support is drawn
anew. ``shrinkwrap`` acts within the brackets it stands in. ``refine(5*ER)`` runs on a copy of the density: the support
that it draws is kept, the iterate itself stays as it was before (the reading of "5 ER every 5th HIO" in
PyPhase, the code of Bellisario & Ekeberg 2024); written in plain brackets the updates are interleaved.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn, TypeVar

from spi_lightning.errors import UserError

from .recipe_parts import (
    Action,
    Group,
    Shrinkwrap,
    Step,
    actions_of,
    as_list,
    has_shrinkwrap,
    length,
    step,
)
from .updates import UPDATES


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


def from_list(entries: Sequence[Any], where: str = "recipe", repeat: int = 1, refine: bool = False) -> Group:
    """Read the parts of one group; UserError names a wrong entry as recipe[2].sequence[0]."""
    parts: list[Step | Group] = []
    wraps: list[Shrinkwrap] = []
    if isinstance(entries, str | Mapping) or not isinstance(entries, Sequence) or not entries:
        raise UserError(f"phasing {where}: expected a list of updates, got {entries!r}")
    for index, entry in enumerate(entries):
        part = _part(entry, f"{where}[{index}]")
        if isinstance(part, Shrinkwrap):
            wraps.append(part)
        else:
            parts.append(part)
    if not parts:
        raise UserError(f"phasing {where}: no update to go with the shrinkwrap")
    return Group(tuple(parts), tuple(wraps), repeat, refine)


def _part(entry: Any, where: str) -> Step | Group | Shrinkwrap:
    if isinstance(entry, str):
        entry = {"update": entry}
    kinds = [
        kind for kind in ("update", "sequence", "refine", "shrinkwrap") if isinstance(entry, Mapping) and kind in entry
    ]
    if len(kinds) != 1:
        raise UserError(f"phasing {where}: expected one of update, sequence, refine, shrinkwrap in {entry!r}")
    kind, options = kinds[0], {str(key): value for key, value in entry.items()}
    content, repeat = options.pop(kind), options.pop("repeat", 1)
    if not isinstance(repeat, int) or repeat < 1:
        raise UserError(f"phasing {where}: repeat={repeat!r} is not a whole number of at least 1")
    try:
        if kind == "update":
            return _step(content, options, repeat)
        if options:
            raise UserError(f"{min(options)!r} does not go with {kind}")
        if kind == "shrinkwrap":
            return _shrinkwrap(content)
    except UserError as error:
        raise UserError(f"phasing {where}: {str(error).removeprefix('phasing recipe: ')}") from None
    return from_list(content, f"{where}.{kind}", repeat, refine=kind == "refine")


def _step(name: Any, options: Mapping[str, Any], repeat: int) -> Step:
    if name not in UPDATES:
        raise UserError(f"unknown update {name!r}; known: {', '.join(UPDATES)}")
    return step(name, {option: _number(value, option) for option, value in options.items()}, repeat)


def _shrinkwrap(content: Any) -> Shrinkwrap:
    kinds = {each.name: int if each.name in ("after", "until", "every") else float for each in fields(Shrinkwrap)}
    if not isinstance(content, Mapping):
        raise UserError(f"shrinkwrap needs its options as sigma: 1.0, threshold: 0.1, got {content!r}")
    unknown = {str(name) for name in content} - set(kinds)
    if unknown:
        raise UserError(f"shrinkwrap has no option {min(unknown)!r} (it has {', '.join(kinds)})")
    values: dict[str, Any] = {name: kinds[name](_number(value, name)) for name, value in content.items()}
    return Shrinkwrap(**values)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={value!r} is not a number")
    return float(value)


_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>.))", re.S
)
T = TypeVar("T")
_WHOLE = ("after", "until", "every")


def parse(text: str) -> Group:
    """Read a line: sum := term {"+" term}, term := [n "*"] (update | "(" sum ")" | "refine(" sum ")") | shrinkwrap.

    Raises:
        UserError: The line has a mistake; the message names the character, from 1, and marks the line there by ``>>>``.
    """
    reader = _Reader(text)
    whole = reader.sum()
    if reader.kind != "end":
        reader.fail(f"expected + or the end, not {reader.word!r}")
    return whole


class _Reader:
    """Tokens of one line; ``kind``, ``word`` and ``position`` are those of the next token."""

    def __init__(self, text: str) -> None:
        self.text, self.next_position = text, 0
        self.kind, self.word, self.position = "", "", 0
        self.advance()

    def advance(self) -> None:
        # A sign belongs to a number only where a number is expected: "ER +5*HIO" is a sum.
        rest = self.text[self.next_position :]
        if not rest.strip():
            self.kind, self.word, self.position = "end", "the end", len(self.text.rstrip())
            return
        signed = self.word in ("(", ",", "=")
        found = _TOKEN.match(self.text, self.next_position)
        assert found is not None and found.lastgroup is not None
        kind, word = found.lastgroup, found[found.lastgroup]
        if kind == "number" and word[0] in "+-" and not signed:
            kind, word = "sign", word[0]
        self.kind, self.word, self.position = kind, word, found.start(found.lastgroup)
        self.next_position = self.position + len(word)

    def fail(self, what: str, position: int | None = None) -> NoReturn:
        at = self.position if position is None else position
        raise UserError(f"phasing recipe, character {at + 1}: {what}: {self.text[:at]}>>>{self.text[at:]}")

    def expect(self, sign: str) -> None:
        if self.word != sign or self.kind != "sign":
            self.fail(f"expected {sign!r}, not {self.word!r}" if self.kind != "end" else f"{sign!r} is missing")
        self.advance()

    def whole_number(self, least: int) -> int:
        if self.kind != "number" or not self.word.isdigit() or int(self.word) < least:
            self.fail(f"expected a whole number of at least {least}, not {self.word!r}")
        value = int(self.word)
        self.advance()
        return value

    def sum(self) -> Group:
        parts: list[Step | Group] = []
        wraps: list[Shrinkwrap] = []
        begin = self.position
        while True:
            term = self.term()
            if isinstance(term, Shrinkwrap):
                wraps.append(term)
            else:
                parts.append(term)
            if self.word != "+":
                break
            self.advance()
        if not parts:
            self.fail("no update to go with the shrinkwrap", begin)
        return Group(tuple(parts), tuple(wraps))

    def term(self) -> Step | Group | Shrinkwrap:
        repeat, counted = 1, self.kind == "number"
        if counted:
            repeat = self.whole_number(1)
            self.expect("*")
        if self.word == "(" and self.kind == "sign":
            self.advance()
            inside = self.sum()
            self.expect(")")
            return Group(inside.parts, inside.shrinkwraps, repeat)
        if self.kind != "name":
            self.fail(f"expected an update, a number or a bracket, not {self.word!r}")
        if self.word == "shrinkwrap":
            if counted:
                self.fail("shrinkwrap is not repeated; give its period as in shrinkwrap(1.0, 0.1)/10")
            return self.shrinkwrap()
        if self.word == "refine":
            self.advance()
            self.expect("(")
            inside = self.sum()
            self.expect(")")
            return Group(inside.parts, inside.shrinkwraps, repeat, refine=True)
        return self.update(repeat)

    def update(self, repeat: int) -> Step:
        name, position = self.word, self.position
        if name not in UPDATES:
            known = [*UPDATES, "shrinkwrap", "refine"]
            near = difflib.get_close_matches(name.lower(), [each.lower() for each in known], 1, 0.5)
            meant = next((each for each in known if near and each.lower() == near[0]), None)
            self.fail(
                f"unknown update {name!r}; " + (f"did you mean {meant}?" if meant else f"known: {', '.join(known)}")
            )
        self.advance()
        values = self.arguments(list(UPDATES[name].defaults), name)
        return self.checked(lambda: step(name, values, repeat), position)

    def shrinkwrap(self) -> Shrinkwrap:
        position = self.position
        self.advance()
        values = self.arguments([each.name for each in fields(Shrinkwrap)][:-1], "shrinkwrap")
        if self.word == "/":
            self.advance()
            values["every"] = self.whole_number(1)
        whole = {name: int(value) if name in _WHOLE else value for name, value in values.items()}
        return self.checked(lambda: Shrinkwrap(**whole), position)  # type: ignore[arg-type]

    def checked(self, make: Callable[[], T], position: int) -> T:
        try:
            return make()
        except UserError as error:
            self.fail(str(error).removeprefix("phasing recipe: "), position)

    def arguments(self, names: list[str], owner: str) -> dict[str, float]:
        values: dict[str, float] = {}
        if self.word != "(":
            return values
        self.advance()
        while self.word != ")":
            name = self.argument_name(names, owner, len(values))
            if self.kind != "number":
                self.fail(f"expected a number for {name}, not {self.word!r}")
            values[name] = float(self.word)
            self.advance()
            if self.kind == "end":
                self.fail(f"the bracket of {owner} is not closed")
            if self.word != ")":
                self.expect(",")
        self.advance()
        return values

    def argument_name(self, names: list[str], owner: str, position: int) -> str:
        if self.kind == "name":
            name = self.word
            if name not in names:
                self.fail(f"{owner} has no option {name!r} (it has {', '.join(names) or 'none'})")
            self.advance()
            self.expect("=")
            return name
        if self.kind == "number" and position >= len(names):
            self.fail(f"{owner} takes {len(names) or 'no'} option{'s' * (len(names) != 1)}, this is one too many")
        return names[position] if position < len(names) else owner
