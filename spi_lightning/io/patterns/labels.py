"""Labels of patterns: check, and conversion to the dtypes and ranges of fields.py."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import FIELDS, IS_SINGLE_HIT, KIND, PARTICLE_ID, Kind
from spi_lightning.notes import Note
from spi_lightning.printable import listed

_ALLOWED: Final = {IS_SINGLE_HIT: (0, 1), KIND: (min(Kind), max(Kind))}
_MAX_LISTED: Final = 12  # values in a message
_UNKNOWN_WORDS: Final = (
    *("", "unknown", "unlabelled", "unlabeled", "none", "nan", "n/a", "na", "?", "-1"),
    *("skip", "skipped"),
)
_ANY_HIT: Final = ("hit", "hits")
# words of is_single_hit, in lower case, - and _ replaced by spaces
_WORDS: Final = {
    **dict.fromkeys(("single", "singles", "single hit", "single hits", "singlehit", "single particle", *_ANY_HIT), 1),
    **dict.fromkeys(("true", "yes", "1", "positive"), 1),
    **dict.fromkeys(("multi", "multiple", "multi hit", "multihit", "multiple hit", "multiple hits"), 0),
    **dict.fromkeys(("other", "others"), 0),
    **dict.fromkeys(("double", "triple", "quadruple", "many", "cluster", "aggregate", "contaminant", "non single"), 0),
    **dict.fromkeys(("not single", "not single hit", "non single hit", "nonsingle"), 0),
    **dict.fromkeys(("miss", "misses", "no hit", "non hit", "nohit", "nonhit", "not hit", "not a hit", "blank"), 0),
    **dict.fromkeys(("background", "bg", "empty", "dark", "noise", "water", "false", "no", "0", "negative"), 0),
    **dict.fromkeys(_UNKNOWN_WORDS, -1),
}
_KIND_WORDS: Final = {
    **{kind.name.lower(): int(kind) for kind in Kind},
    **{str(int(kind)): int(kind) for kind in Kind},
    **dict.fromkeys(_UNKNOWN_WORDS, -1),
}


def as_label(
    name: str, values: NDArray[Any], patterns: int, where: str, positive: str | int | None = None
) -> tuple[NDArray[Any], list[Note]]:
    """Convert the values of a label to the dtype of their field.

    Args:
        name: Name in fields.py; other names keep their dtype.
        values: Values as stored, (N, ...); names of particles are numbered in sorted order, one-hot labels converted
            to class numbers.
        patterns: Number of patterns N in the file.
        where: File and key, for messages.
        positive: Words or numbers, joined by commas, of is_single_hit that mean a single hit; all others mean not.

    Returns:
        (N,), or (N, ...) where the field has more axes; and one note for each conversion.

    Raises:
        UserError: Another length or more axes; is_single_hit outside {0, 1, -1}; kind outside -1 to 5; NaN among
            integers.
    """
    if values.ndim > 1 and values.size == patterns:
        values = values.reshape(-1) if name != "orientation" else values
    if values.ndim == 0 or len(values) != patterns:
        raise UserError(f"{where}: shape {values.shape} does not fit {patterns} patterns; give one value per pattern")
    notes: list[Note] = []
    if values.dtype.kind in "OSU":
        values = np.char.decode(values) if values.dtype.kind == "S" else values.astype(str)
    if name in _ALLOWED and values.ndim > 1:
        values = _of_one_hot(name, values, where, any_number=positive is not None)
        meaning = ", the second that of single hits" if name == IS_SINGLE_HIT and positive is None else ""
        notes.append(Note.of(f"one-hot labels; the column that is 1 is the {name}{meaning}", where))
    if name == IS_SINGLE_HIT and positive is not None:
        values, note = _of_class(values, positive, where)
        notes.append(note)
    elif name in _ALLOWED and values.dtype.kind == "U":
        values, note = _of_words(name, values, where)
        notes.append(note)
    elif values.dtype.kind == "U" or (name == PARTICLE_ID and values.ndim > 1):
        what = "names" if values.ndim == 1 else "rows"
        names, values = np.unique(values, axis=0, return_inverse=True)
        values = values.reshape(-1)
        notes.append(Note.of(f"{len(names)} {what} were numbered in sorted order as {name}", where))
    if name not in FIELDS:
        return values, notes
    if FIELDS[name].shape == "(N,)" and values.ndim > 1:
        raise UserError(f"{where}: {name} has shape {values.shape}; give one value per pattern")
    dtype = np.dtype(FIELDS[name].dtype)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where}: {name} must be numbers, not {values.dtype}")
    if (
        dtype.kind == "i"
        and values.dtype.kind == "f"
        and not (np.isfinite(values).all() and np.array_equal(values, np.rint(values)))
    ):
        raise UserError(f"{where}: {name} must be whole numbers, without NaN")
    values = values.astype(dtype)
    if name in _ALLOWED:
        _check_range(name, values, where)
    return values, notes


def _of_one_hot(name: str, values: NDArray[Any], where: str, any_number: bool) -> NDArray[np.int64]:
    """Class numbers (N,) of one-hot labels (N, classes); UserError if a row does not have exactly one 1."""
    classes = values.shape[1] if any_number else _ALLOWED[name][1] + 1
    hot = (
        values.ndim == 2
        and values.dtype.kind in "biuf"
        and bool(np.isin(values, (0, 1)).all() and (values.astype(np.int64).sum(1) == 1).all())
    )
    if not hot or values.shape[1] > classes:
        raise UserError(
            f"{where}: {name} has shape {values.shape}; give one label for each pattern, or one-hot labels of "
            f"{classes} columns{' (of more: data.keys.positive=COLUMN, from 0)' if name == IS_SINGLE_HIT else ''}"
        )
    numbers: NDArray[np.int64] = values.astype(np.int64).argmax(1)
    return numbers


def _of_class(values: NDArray[Any], positive: str | int, where: str) -> tuple[NDArray[np.int64], Note]:
    """Labels (N,): 1 in the classes that the user names, else 0, -1 where unknown; and a note on the choice."""
    words = _as_words(values)
    wanted = [word.strip().lower() for word in str(positive).split(",") if word.strip()]
    absent = [word for word in wanted if word not in words]
    if absent or not wanted:
        raise UserError(
            f"{where}: no label is {', '.join(absent) or 'named'} (data.keys.positive=); there are {_listed(words)}"
        )
    found = np.where(np.isin(words, wanted), 1, np.where(np.isin(words, _UNKNOWN_WORDS), -1, 0))
    return found, Note.of(f"{', '.join(wanted)} = single hit, as set; of {_listed(words)}", where)


def _as_words(values: NDArray[Any]) -> NDArray[np.str_]:
    """Labels (N,) as words in lower case without surrounding spaces; whole numbers without decimal point."""
    if values.dtype.kind == "f" and (np.isnan(values) | (values == np.rint(values))).all():
        values = np.array(["nan" if value != value else str(int(value)) for value in values.tolist()])
    return np.asarray(np.char.strip(np.char.lower(values.astype(str))))


def _of_words(name: str, values: NDArray[Any], where: str) -> tuple[NDArray[np.int64], Note]:
    """Class numbers (N,) of words by the tables above, and a note on their meaning.

    Raises:
        UserError: A word that is in no table, or "hit" beside "single", which is ambiguous.
    """
    words = _as_words(values)
    table = _KIND_WORDS if name == KIND else _WORDS
    plain = np.char.replace(np.char.replace(words, "-", " "), "_", " ")
    distinct = np.unique(plain)
    unclear = [word for word in distinct if word not in table]
    if name == IS_SINGLE_HIT and any(word.startswith("single") for word in distinct):
        unclear += [word for word in distinct if word in _ANY_HIT]
    if unclear:
        remedy = "name those of single hits by data.keys.positive=WORD" if name == IS_SINGLE_HIT else "give numbers"
        raise UserError(
            f"{where}: the word {str(unclear[0])!r} among {_listed(words)} has no known meaning as {name}; {remedy}"
        )
    found = np.array([table[word] for word in plain.tolist()], dtype=np.int64)
    means = ", ".join(f"{word} = {table[word]}" for word in distinct)
    return found, Note.of(f"words are read as {name}: {means}", where)


def _listed(words: NDArray[np.str_]) -> str:
    return listed([repr(str(word)) for word in np.unique(words)], _MAX_LISTED)


def _check_range(name: str, values: NDArray[Any], where: str) -> None:
    """Raise UserError for labels that are neither a class number nor -1 (unknown)."""
    lowest, highest = _ALLOWED[name]
    outside = np.unique(values[((values < lowest) | (values > highest)) & (values != -1)])
    if len(outside):
        found = ", ".join(str(v) for v in outside[:_MAX_LISTED])
        allowed, remedy = f"{lowest} to {highest} or -1", "translate the labels first"
        if name == IS_SINGLE_HIT:
            allowed = "1 (single hit), 0 (not) or -1 (unknown)"
            remedy = f"name those of single hits by data.keys.positive={found.split(',')[0]}, or translate the labels"
        raise UserError(f"{where}: {name} is {found} in some patterns; allowed are {allowed}; {remedy}")
