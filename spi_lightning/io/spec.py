"""Scan headers of the program spec: motors, columns and commands of one scan of a text file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import UserError


@dataclass
class SpecScan:
    """One scan of a spec file.

    Attributes:
        number: As in its `#S` line.
        command: The rest of that line, e.g. `ascan  theta -0.28 0.72 200 0.25`.
        motors: Position of every motor before the scan; as spec stores them: degree, mm.
        columns: Values of every point, (points,) float64.
    """

    number: int
    command: str
    motors: dict[str, float] = field(default_factory=dict)
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def motor(self, *names: str) -> float | None:
        """Position of the first of these motors that there is, whatever the case of its name; None if there is none."""
        lower = {name.lower(): value for name, value in self.motors.items()}
        return next((lower[name.lower()] for name in names if name.lower() in lower), None)

    def column(self, *names: str) -> NDArray[np.float64] | None:
        """Values of the first of these columns that there is, whatever the case of its name."""
        lower = {name.lower(): values for name, values in self.columns.items()}
        return next((lower[name.lower()] for name in names if name.lower() in lower), None)

    @property
    def scanned(self) -> str | None:
        """Name of the motor that was scanned, from the command."""
        words = self.command.split()
        return words[1] if len(words) > 1 else None


def read_spec(path: str | Path, scan: int) -> SpecScan:
    """Read one scan; of scans with the same number the last, which spec wrote last.

    Args:
        path: spec file.
        scan: Its number.

    Raises:
        UserError: No such file or scan, no points, or points that are no numbers.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: the spec file cannot be read ({error.strerror}); check data.spec=") from error
    blocks = re.split(r"(?m)^(?=#S )", text)
    named = {int(match.group(1)): block for block in blocks[1:] if (match := re.match(r"#S\s+(\d+)", block))}
    if scan not in named:
        listed = ", ".join(str(number) for number in sorted(named)[:20]) or "none"
        raise UserError(f"{path}: there is no scan {scan}; it holds the scans {listed} (data.scan=)")
    names = _motor_names(_file_header_before(blocks, named[scan]))
    return _parse(path, scan, named[scan], names)


def _file_header_before(blocks: list[str], wanted: str) -> str:
    """The lines with motor names that hold for a scan: those of the last file header (#F, #O) before it."""
    header = blocks[0]
    for before in blocks[1 : blocks.index(wanted)]:
        if re.search(r"(?m)^#O0", before):
            header = before
    return header


def _motor_names(header: str) -> dict[int, list[str]]:
    """Names of each #O line, parted by two or more spaces because names may hold one."""
    rows = re.findall(r"(?m)^#O(\d+) +(.*)$", header)
    return {int(row): re.split(r"\s{2,}", names.strip()) for row, names in rows}


def _parse(path: Path, number: int, block: str, names: dict[int, list[str]]) -> SpecScan:
    """Motors and columns of the lines of one scan."""
    first, *lines = block.splitlines()
    scan = SpecScan(number, re.sub(r"^#S\s+\d+\s*", "", first))
    labels: list[str] = []
    rows: list[list[float]] = []
    for line in lines:
        if match := re.match(r"#P(\d+) +(.*)$", line):
            values = match.group(2).split()
            scan.motors.update(zip(names.get(int(match.group(1)), []), map(_number, values), strict=False))
        elif line.startswith("#L"):
            labels = re.split(r"\s{2,}", line[2:].strip())
        elif line and not line.startswith(("#", "@")) and line[0] in "+-.0123456789":
            rows.append([_number(word) for word in line.split()])
    if not rows or any(len(row) != len(labels) for row in rows):
        raise UserError(
            f"{path}: scan {number} has {len(rows)} points and {len(labels)} columns that do not fit together; "
            "it was cut short or edited"
        )
    table = np.array(rows, dtype=np.float64)
    scan.columns = {label: table[:, i] for i, label in enumerate(labels)}
    return scan


def _number(word: str) -> float:
    """A number, NaN where spec wrote something else."""
    try:
        return float(word)
    except ValueError:
        return float("nan")
