"""Text of files and paths as it may be printed: nothing in it breaks the line, moves the cursor or hides a part."""

import unicodedata
from typing import Final

_ESCAPED: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, formats (bidi, invisible), surrogates, breaks
_JOINERS: Final = "\u200c\u200d"  # part of ordinary words and emoji
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: object) -> str:
    r"""Escape line breaks, control characters, ANSI sequences, bidi overrides and surrogates; the rest stays.

    Args:
        text: Anything with a str(). Bytes of a path that are not UTF-8 stand in it as surrogates U+DC80 to U+DCFF.

    Returns:
        One line that every UTF-8 stream can write: a line break is ``\n``, an escape ``\x1b``, a stray byte ``\xff``.
        Applied twice it changes nothing more.
    """
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    return "".join(_escaped(character) for character in string)


def _escaped(character: str) -> str:
    """One character, or what stands for it."""
    if unicodedata.category(character) not in _ESCAPED or character in _JOINERS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogateescape: a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
