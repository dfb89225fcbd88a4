"""Escaping of text from files and paths for terminals: no line breaks, cursor movements or invisible characters."""

import unicodedata
from collections.abc import Sequence
from typing import Final

_ESCAPED: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, formats (bidi, invisible), surrogates, breaks
_JOINERS: Final = "\u200c\u200d"  # part of ordinary words and emoji
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: object) -> str:
    r"""Escape line breaks, control characters, ANSI sequences, bidi overrides and surrogates.

    Args:
        text: Anything with a str(); bytes of a path that are not UTF-8 are the surrogates U+DC80 to U+DCFF in it.

    Returns:
        One line that every UTF-8 stream can write: a line break is ``\n``, an escape ``\x1b``, a stray byte ``\xff``.
        The function is idempotent.
    """
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    return "".join(_escaped(character) for character in string)


def _escaped(character: str) -> str:
    """One character, escaped if it is not printable."""
    if unicodedata.category(character) not in _ESCAPED or character in _JOINERS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogateescape: a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cut(text: str, most: int) -> str:
    """Text of at most so many characters; the last is … where it was longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def without_middle(text: str, most: int) -> str:
    """Text of at most so many characters, its middle left out where it was longer."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def listed(words: Sequence[object], most: int) -> str:
    """The first ``most`` words joined by commas, and the number of further ones."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(str, words[:most])) + more
