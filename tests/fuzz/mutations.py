"""Damage as files meet it: cut ends, flipped bits, blocks of zeros or of another place, and numbers of any size."""

import re
import struct
from collections.abc import Callable

import numpy as np

EXTREMES = (0, 1, -1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**32 - 1, 10**12, 2**63 - 1, -(2**63))
WORDS = (b"nan", b"-1", b"0", b"1e999", b"999999999999999999999", b"\xff\xfe", b"", b",", b"\n", b"\x00", b"[", b"e")
HEAD = 2048  # most formats keep there what the rest depends on


def _offset(content: bytes, rng: np.random.Generator) -> int:
    """A place, half of the time near the beginning."""
    return int(rng.integers(min(len(content), HEAD if rng.random() < 0.5 else len(content))))


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        changed[_offset(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    position, length = _offset(content, rng), int(rng.integers(1, 17))
    return content[:position] + rng.bytes(length) + content[position + length :]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    """An integer of 1, 2, 4 or 8 bytes at a place of its own size becomes an extreme one."""
    form = str(rng.choice(["b", "h", "i", "q"]))
    size = struct.calcsize(form)
    position = _offset(content, rng) // size * size
    value = EXTREMES[int(rng.integers(len(EXTREMES)))] & (2 ** (8 * size) - 1)
    return content[:position] + value.to_bytes(size, "little") + content[position + size :]


def _zeros(content: bytes, rng: np.random.Generator) -> bytes:
    position, length = _offset(content, rng), int(rng.integers(1, 513))
    return content[:position] + bytes(min(length, len(content) - position)) + content[position + length :]


def _moved(content: bytes, rng: np.random.Generator) -> bytes:
    position, source, length = _offset(content, rng), _offset(content, rng), int(rng.integers(1, 257))
    return content[:position] + content[source : source + length] + content[position + length :]


def _removed(content: bytes, rng: np.random.Generator) -> bytes:
    position = _offset(content, rng)
    return content[:position] + content[position + int(rng.integers(1, 65)) :]


def _word(content: bytes, rng: np.random.Generator) -> bytes:
    """A word of text becomes another one."""
    words = list(re.finditer(rb"[^\s,:\"']+", content[: 1 << 16]))
    if not words:
        return _flip(content, rng)
    word = words[int(rng.integers(len(words)))]
    return content[: word.start()] + WORDS[int(rng.integers(len(WORDS)))] + content[word.end() :]


def _line(content: bytes, rng: np.random.Generator) -> bytes:
    """A line is lost, doubled or moved."""
    lines = content.split(b"\n")
    line, other = (int(n) for n in rng.integers(len(lines), size=2))
    kept = lines[:line] + lines[line + 1 :]
    return b"\n".join((kept, [*lines, lines[line]], [*kept[:other], lines[line], *kept[other:]])[int(rng.integers(3))])


OF_BYTES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _cut,
    _flip,
    _bytes,
    _number,
    _number,
    _zeros,
    _moved,
    _removed,
)
OF_TEXT = (_cut, _flip, _word, _word, _word, _line)


def mutate(content: bytes, seed: int, text: bool = False) -> bytes:
    """One damaged form of a file; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    choices = OF_TEXT if text else OF_BYTES
    return choices[int(rng.integers(len(choices)))](content, rng)
