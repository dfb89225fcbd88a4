"""Reader of spec files (Certified Scientific Software): motors, columns and command of one scan, by silx.

silx finds the scans and reads their headers. Points are read here, because silx reads ``nan`` as 0 and leaves out rows
that are too short; and so are the names of motors, because silx splits the last one of a line at single spaces.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from silx.io.specfile import SpecFile

from spi_lightning.errors import UserError
from spi_lightning.io.reading import reads
from spi_lightning.notes import Note

V = TypeVar("V")
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
        return _first({name: name for name in self.motors}, self.full_names, names)

    def column_name(self, *names: str) -> str | None:
        """Name of the first of these columns that exists."""
        return _first({name: name for name in self.columns}, self.full_names, names)

    def column(self, *names: str) -> NDArray[np.float64] | None:
        """Values (points,) of the first of these columns that exists, in upper or lower case."""
        return _first(self.columns, self.full_names, names)

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
        return self.column_name(words[1]) or self._by_range(words)

    def other_motors(self) -> list[Note]:
        """Warning if the command moves other motors than the first, as a2scan does; empty if not."""
        words = self.command.split()
        named = [words[index] for index in range(4, 1 + 3 * _MOTORS.get(words[0], 1), 3) if index < len(words)]
        others = [name for word in named if (name := self.column_name(word)) and np.ptp(self.columns[name]) > 0]
        moved = f"scan {self.number} also moves {' and '.join(others)}: only {self.scanned} is used as rocking angle"
        return [Note.warning(moved)] if others else []

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


def _first(values: dict[str, V], full_names: dict[str, str], wanted: tuple[str, ...]) -> V | None:
    """Value of the first wanted name that exists: literally, as a mnemonic, or with its unit in brackets."""
    lower = {name.lower(): value for name, value in values.items()}
    bare = {re.sub(r"\s*[\[(][^\])]*[\])]$", "", name): value for name, value in lower.items()}
    mnemonic = {short.lower(): full.lower() for short, full in full_names.items()}
    for name in (name.lower() for name in wanted):
        for each in (name, mnemonic.get(name, name)):
            if each in lower or each in bare:
                return lower.get(each, bare.get(each))
    return None


_GAP: Final = r"\s{2,}|\t"  # between names, which may contain single spaces


@reads("a spec file")
def read_spec(path: str | Path, scan: int, points: int | None = None) -> SpecScan:
    """Read one scan of a spec file.

    Args:
        path: Path of the spec file.
        scan: Number of the scan. Of scans with the same number the last with ``points`` points is read, else the last
            complete one, else the longest.
        points: Number of frames of the detector.

    Raises:
        UserError: No such file or scan, no points, or points that do not fit the columns.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: the spec file cannot be read ({error.strerror}); check data.spec=") from error
    if not re.search(r"(?m)^#S\s", text):
        raise UserError(f"{path}: holds no scans (lines #S), so it is not a spec file; check data.spec=")
    blocks: dict[int, list[str]] = {}
    for block in re.split(r"(?m)^(?=#S\s)", text)[1:]:
        if match := re.match(r"#S\s+(\d+)", block):
            blocks.setdefault(int(match.group(1)), []).append(block)
    if scan not in blocks:
        listed = ", ".join(str(number) for number in sorted(blocks)[:20]) or "none"
        raise UserError(f"{path}: there is no scan {scan}; it holds the scans {listed} (data.scan=)")
    with _readable(path, text) as readable:
        file = SpecFile(str(readable))
        repeats = [_read(path, file[f"{scan}.{order}"], block) for order, block in enumerate(blocks[scan], 1)]
    read = _choose(repeats, points)
    if not read.points:
        raise UserError(f"{path}: scan {scan} has no points, it was aborted before the first one; choose another")
    if len(repeats) > 1:
        counts = ", ".join(str(each.points) for each in repeats)
        read.notes.insert(
            0,
            Note.of(
                f"scan {scan} was started {len(repeats)} times, with {counts} points: that of {read.points} points "
                "is read" + (", the last of these" if [each.points for each in repeats].count(read.points) > 1 else ""),
                str(path),
            ),
        )
    return read


@contextmanager
def _readable(path: Path, text: str) -> Iterator[Path]:
    """Path of the file, or of a temporary copy in ASCII, because silx cannot read headers in Latin-1."""
    if "\N{REPLACEMENT CHARACTER}" not in text:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "ascii.spec"
        copy.write_bytes(text.encode("ascii", errors="replace"))
        yield copy


def is_spec(path: str | Path) -> bool:
    """Whether a file starts with a header line of spec."""
    with Path(path).open("rb") as file:
        head = file.read(200).lstrip()
    return re.match(rb"#(F .|S \d|E \d|D .)", head) is not None


def _choose(repeats: list[SpecScan], points: int | None) -> SpecScan:
    """Best of the scans with one number: of the right number of points, complete, longest; the last of equals."""

    def merit(each: SpecScan) -> tuple[bool, bool, int]:
        complete = each.expected_points is not None and each.points >= each.expected_points
        return points is not None and each.points == points, complete, each.points

    return max(reversed(repeats), key=merit)


def _read(path: Path, scan: Any, block: str) -> SpecScan:
    """SpecScan of a silx scan, with its points from the lines of its block."""
    made = SpecScan(int(scan.number), re.sub(r"^#S\s+\d+\s*", "", block.splitlines()[0]).strip())
    rows = _points(block)
    labels = _labels(block, [label.strip() for label in scan.labels], len(rows[0]) if rows else 0)
    short = [number for number, row in enumerate(rows, 1) if len(row) != len(labels)]
    if short == [len(rows)] and len(rows) > 1 and len(rows[-1]) < len(labels):
        made.notes.append(Note.of(f"the last row of scan {made.number} is incomplete and is left out", str(path)))
        rows.pop()
    elif short:
        raise UserError(
            f"{path}: row {short[0]} of scan {made.number} has {len(rows[short[0] - 1])} values for {len(labels)} "
            "columns; it was truncated or edited: copy it again"
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))
    made.columns = {label: table[:, i] for i, label in reversed(list(enumerate(labels)))}  # of equal labels the first
    made.columns = {label: made.columns[label] for label in labels}
    made.full_names = _mnemonics(scan.file_header_dict) | _mnemonics(scan.scan_header_dict)
    _add_motors(path, made, scan)
    return made


def _labels(block: str, found: list[str], columns: int) -> list[str]:
    """Names of the columns by silx, or separated at tabs if only that gives as many names as columns."""
    line = re.search(r"(?m)^#L[ \t]+(.*)$", block)
    if line is None:
        return found if columns else []
    own = re.split(_GAP, line[1].strip())
    return own if len(own) == columns != len(found) else found


def _points(block: str) -> list[list[float]]:
    """Rows of numbers: all lines except headers, spectra (@A) and their continuation after a backslash."""
    rows, continued = [], False
    for line in block.splitlines():
        line = line.strip()
        if not continued and line and line[0] not in "#@":
            rows.append([_number(word) for word in line.split()])
        continued = (continued or line.startswith("@")) and line.endswith("\\")
    return rows


def _add_motors(path: Path, made: SpecScan, scan: Any) -> None:
    """Add the positions by name; none, with a warning, if a line has different numbers of names and positions."""
    own, of_file = dict(scan.scan_header_dict), dict(scan.file_header_dict)
    names = _rows(own, "O", _GAP) or _rows(of_file, "O", _GAP)
    positions = _rows(own, "P", r"\s+")
    unlike = [row for row in sorted({*names, *positions}) if len(names.get(row, ())) != len(positions.get(row, ()))]
    if positions and unlike:
        made.notes.append(
            Note.warning(
                f"scan {made.number} has {sum(map(len, positions.values()))} motor positions (#P) for "
                f"{sum(map(len, names.values()))} names (#O), first different in line {unlike[0]}: no position is "
                "used, because they cannot be assigned to motors; give data.geometry",
                str(path),
            )
        )
        return
    for row in reversed(sorted(positions)):  # of motors with one name the first counts
        made.motors |= dict(reversed(list(zip(names[row], map(_number, positions[row]), strict=True))))


def _rows(headers: dict[str, str], letter: str, gap: str) -> dict[int, list[str]]:
    """Entries of the lines #O0, #O1 and so on, or #P0 and so on, by the number of the line."""
    rows = {int(key[1:]): value.strip() for key, value in headers.items() if re.fullmatch(rf"{letter}\d+", key)}
    return {row: re.split(gap, value) for row, value in rows.items() if value}


def _mnemonics(headers: dict[str, str]) -> dict[str, str]:
    """Full name of each mnemonic of one header: motors of its #o and #O lines, counters of its #j and #J lines."""
    found: dict[str, str] = {}
    for short, full in (("o", "O"), ("j", "J")):
        for key, value in headers.items():
            if re.fullmatch(rf"{short}\d+", key):
                words, names = value.split(), re.split(_GAP, headers.get(full + key[1:], "").strip())
                found |= dict(zip(words, names, strict=True)) if len(words) == len(names) else {}
    return found


def _number(word: str) -> float:
    """Number of a word; NaN if it is not a number."""
    try:
        return float(word)
    except ValueError:
        return float("nan")
