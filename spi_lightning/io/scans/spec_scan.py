"""SpecScan, one scan of a spec file: its command, motors and columns, found by full name or mnemonic."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.notes import Note

_ABSOLUTE: Final = ("ascan", "a2scan", "a3scan", "a4scan")
_RELATIVE: Final = ("dscan", "d2scan", "d3scan", "d4scan", "lup")
_MOTORS: Final = {"a2scan": 2, "d2scan": 2, "a3scan": 3, "d3scan": 3, "a4scan": 4, "d4scan": 4}
_TOLERANCE: Final = 0.02  # of the range of a scan, between the ends of a column and those of the command


@dataclass
class SpecScan:
    """One scan of a spec file.

    Attributes:
        number: Number of the scan in its `#S` line.
        command: Command of the scan, the rest of that line, e.g. `ascan  theta -0.28 0.72 200 0.25`.
        motors: Position of every motor before the scan, degree or mm. Empty if the file has different numbers of
            positions and names.
        columns: Values of every point by the name of the column, (points,) float64.
        full_names: Full name of a motor or counter by its mnemonic.
        notes: Choices of the reader, and values that are not used.
    """

    number: int
    command: str
    motors: dict[str, float] = field(default_factory=dict)
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    full_names: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def motor(self, *names: str) -> float | None:
        """Position of the first of these motors that exists, in upper or lower case; None if there is none."""
        name = self.motor_name(*names)
        return None if name is None else self.motors[name]

    def motor_name(self, *names: str) -> str | None:
        """Full name of the first of these motors that exists."""
        found: str | None = _first({name: name for name in self.motors}, self.full_names, names)
        return found

    def column_name(self, *names: str) -> str | None:
        """Name of the first of these columns that exists."""
        found: str | None = _first({name: name for name in self.columns}, self.full_names, names)
        return found

    def column(self, *names: str) -> NDArray[np.float64] | None:
        """Values (points,) of the first of these columns that exists, in upper or lower case."""
        values: NDArray[np.float64] | None = _first(self.columns, self.full_names, names)
        return values

    @property
    def is_mesh(self) -> bool:
        """Whether the command moves two motors in a grid."""
        return re.match(r"\w*(mesh|grid)\w*\b", self.command, re.IGNORECASE) is not None

    @property
    def points(self) -> int:
        """Number of points of the scan."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def expected_points(self) -> int | None:
        """Number of points of the command; None for other commands than ascan, dscan and their relatives."""
        words = self.command.split()
        intervals = 1 + 3 * _MOTORS.get(words[0], 1) if words else 0
        if not words or words[0] not in (*_ABSOLUTE, *_RELATIVE) or len(words) <= intervals:
            return None
        return int(words[intervals]) + 1 if words[intervals].isdigit() else None

    @property
    def scanned(self) -> str | None:
        """Name of the column of the scanned motor, by the command; None if there is none.

        The command has the mnemonic of a motor, the column its full name. Without an #o line that relates the two, the
        first column is used if it starts and ends at the positions of the command.
        """
        words = self.command.split()
        if len(words) < 2:
            return None
        named: str | None = _first({label: label for label in self.columns}, self.full_names, (words[1],))
        return named if named is not None else self._by_range(words)

    def other_motors(self) -> list[Note]:
        """Warning if the command moves other motors than the first, as a2scan does; empty if not."""
        words = self.command.split()
        named = [words[index] for index in range(4, 1 + 3 * _MOTORS.get(words[0], 1), 3) if index < len(words)]
        others = [name for word in named if (name := self.column_name(word)) and np.ptp(self.columns[name]) > 0]
        if not others:
            return []
        return [
            Note.warning(
                f"scan {self.number} also moves {' and '.join(others)}: only {self.scanned} is used as rocking angle"
            )
        ]

    def _by_range(self, words: list[str]) -> str | None:
        label = next(iter(self.columns), None)
        try:
            start, end = float(words[2]), float(words[3])
        except (ValueError, IndexError):
            return None
        values = self.columns[label][np.isfinite(self.columns[label])] if label is not None else np.empty(0)
        if len(values) < 2 or words[0] not in (*_ABSOLUTE, *_RELATIVE):
            return None
        off = np.array([values[0] - start, values[-1] - end])
        off -= off.mean() if words[0] in _RELATIVE else 0
        complete = self.points == self.expected_points
        return label if complete and np.abs(off).max() <= _TOLERANCE * abs(end - start) else None


def _first(values: dict[str, Any], full_names: dict[str, str], wanted: tuple[str, ...]) -> Any:
    """Value of the first wanted name that exists: literally, as a mnemonic, or with its unit in brackets."""
    lower = {name.lower(): value for name, value in values.items()}
    bare = {re.sub(r"\s*[\[(][^\])]*[\])]$", "", name): value for name, value in lower.items()}
    mnemonic = {short.lower(): full.lower() for short, full in full_names.items()}
    for name in (name.lower() for name in wanted):
        for each in (name, mnemonic.get(name, name)):
            if each in lower or each in bare:
                return lower.get(each, bare.get(each))
    return None
