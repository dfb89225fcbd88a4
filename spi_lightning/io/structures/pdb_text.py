"""Preparation of the text of PDB files for the parser: missing elements are filled in, bad coordinates refused.

The format puts one-letter elements into the second of the four columns of an atom's name and names the element in
columns 77-78. Many programs write names from the first column and no element, which makes C-alpha calcium, C-delta
cadmium and C-epsilon cerium. Atoms of amino acids and nucleotides are therefore identified by the first letter of their
names; elsewhere the columns decide if the file follows the format, and undecided elements become X, the unknown
element.
"""

from collections import defaultdict
from pathlib import Path
from typing import Final

import gemmi
import numpy as np

from spi_lightning.errors import UserError

_ONE_LETTER: Final = "HCNOPSFBIKVWUYD"
_BIOLOGICAL: Final = "HCNOPSD"  # elements of amino acids and nucleotides
_TWO_LETTERS: Final = ("CL", "BR", "SE")  # of modified residues and ligands
_IONS: Final = {"SOD": "NA", "POT": "K", "CLA": "CL", "CES": "CS", "CAL": "CA", "RUB": "RB", "LIT": "LI", "BAR": "BA"}


def complete(text: str, path: Path) -> str:
    """Text of a PDB file with the element of every atom filled in.

    Args:
        text: Text of the PDB file.
        path: Path of the file, for messages.

    Raises:
        UserError: The text is truncated; an atom without coordinates; an operator of an assembly without numbers.
    """
    lines = text.splitlines()
    _require_end(text, lines, path)
    for line in lines:
        if line.startswith("REMARK 350   BIOMT") and not _are_numbers(
            line[23:33], line[33:43], line[43:53], line[54:68]
        ):
            raise UserError(f"{path}: {line.strip()!r} does not hold four numbers; correct it or remove the remark")
    atoms = [i for i, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))]
    for i in atoms:
        _require_coordinates(lines[i], path)
        lines[i] = lines[i][:78]  # the charge is not used, and is part of a line's number in files before 1996
    blank = [i for i in atoms if not lines[i][76:78].strip().isalpha()]
    names: dict[str, set[str]] = defaultdict(set)
    for i in atoms:
        names[lines[i][17:27]].add(lines[i][12:16])
    left = any(_from_first_column(lines[i]) for i in blank)
    for i in blank:
        line = lines[i].ljust(80)
        lines[i] = f"{line[:76]}{_element(line, len(names[line[17:27]]) == 1, left):>2}{line[78:]}"
    return "\n".join(lines) + "\n"


def _require_end(text: str, lines: list[str], path: Path) -> None:
    """Raise UserError for a truncated text: with HEADER but without END, or an atom without its last columns."""
    atoms = [line for line in lines[-2:] if line.startswith(("ATOM", "HETATM"))]
    cut_line = len(atoms) == 2 and not text.endswith("\n") and len(atoms[1]) < min(54, len(atoms[0]))
    cut_file = text.startswith("HEADER") and not any(line[:3] == "END" for line in lines[-3:])
    if cut_line or cut_file:
        what = f"its last line ends after {lines[-1]!r}" if cut_line else "its END is missing"
        raise UserError(f"{path}: the file is truncated, {what}; copy it again")


def _are_numbers(*columns: str) -> bool:
    try:
        return "_" not in "".join(columns) and bool(np.isfinite([float(column) for column in columns]).all())
    except ValueError:
        return False


def _require_coordinates(line: str, path: Path) -> None:
    if not _are_numbers(line[30:38], line[38:46], line[46:54]):
        raise UserError(
            f"{path}: atom {line[12:16].strip()} of {line[17:20].strip()} {line[22:26].strip()} (serial "
            f"{line[6:11].strip()}) has coordinates {line[30:54].strip()!r}, which are not three numbers; correct "
            "or remove it"
        )


def _name(line: str) -> str:
    """Name of an atom from its first letter on, in upper case."""
    return line[12:16].strip().lstrip("0123456789").upper()


def _from_first_column(line: str) -> bool:
    """Whether a name proves that one-letter elements start in the first column: that of a polymer's atom, or as C1."""
    name = _name(line)
    return line[12].isalpha() and len(name) < 4 and (_of_polymer(line) or (len(name) > 1 and not _exists(name[:2])))


def _of_polymer(line: str) -> bool:
    """Whether an atom belongs to an amino acid or a nucleotide."""
    residue = gemmi.find_tabulated_residue(line[17:20].strip())
    return bool(residue.is_amino_acid() or residue.is_nucleic_acid())


def _element(line: str, alone: bool, left: bool) -> str:
    """Element of an atom whose columns 77-78 are empty: a symbol, or X if undecided.

    Args:
        line: Line of the atom, 80 columns.
        alone: Whether all atoms of its residue have its name, as in ions.
        left: Whether one-letter elements start in the first column of names in this file.
    """
    name, residue = _name(line), line[17:21].strip().upper()
    if not name:
        return "X"
    first, pair = name[0], name[:2]
    standard = _of_polymer(line)
    if pair in _TWO_LETTERS and not (standard and pair == "SE" and residue not in ("MSE", "SEC")):
        return pair
    if standard:
        return first if first in _BIOLOGICAL else "X"
    if alone and (name in _IONS or residue.startswith(pair)):
        return _IONS.get(name) or (pair if _exists(pair) else first if first in _ONE_LETTER else "X")
    if line[12] == " " or line[12].isdigit() or len(line[12:16].strip()) == 4 or not _exists(pair):
        return first if first in _ONE_LETTER else "X"
    if line.startswith("ATOM") and first in _BIOLOGICAL:  # CA of an unknown residue: left open
        return first if left else "X"
    if not left:
        return pair
    return "X" if first in _ONE_LETTER else pair


def _exists(symbol: str) -> bool:
    """Whether two letters are the symbol of an element."""
    return len(symbol) == 2 and symbol.isalpha() and gemmi.Element(symbol).atomic_number > 0
