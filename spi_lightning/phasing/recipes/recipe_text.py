"""One-line form of a recipe: a recursive-descent parser whose errors name the position of a character."""

import difflib
import re
from collections.abc import Callable
from dataclasses import fields
from typing import NoReturn, TypeVar

from spi_lightning.errors import UserError
from spi_lightning.phasing.updates import UPDATES

from .recipe_parts import Group, Shrinkwrap, Step, step

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
