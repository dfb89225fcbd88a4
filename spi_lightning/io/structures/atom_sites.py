"""Checks of the atom sites of a structure: alternative locations, duplicates, and undefined coordinates."""

from __future__ import annotations

import logging
from math import isfinite
from pathlib import Path
from typing import Final

import gemmi

from spi_lightning.errors import UserError

_UNDEFINED: Final = 9999.0  # Angstrom, along each axis: CHARMM's value for atoms that were not built


def keep_first_alternatives(structure: gemmi.Structure) -> None:
    """Keep the first alternative location of every atom, recognised by its letter alone.

    Residue numbers and atom names repeat in sound files too: chains without an identifier, segments, ligands whose
    atoms are all named C. Residues of one number and different names are alternatives (a point mutation) if all of
    their atoms have letters and no letter is common to both.
    """
    for model in structure:
        for chain in model:
            first: dict[str, set[str]] = {}
            for i in reversed([i for i, residue in enumerate(chain) if _is_mutation(residue, first)]):
                del chain[i]
            for residue in chain:
                _keep_first_letters(residue)


def _is_mutation(residue: gemmi.Residue, first: dict[str, set[str]]) -> bool:
    """Whether a residue is an alternative of an earlier one of its number; ``first`` has the letters of the earlier."""
    letters = {atom.altloc for atom in residue}
    if "\0" in letters:
        return False
    return letters.isdisjoint(first.setdefault(str(residue.seqid), letters))


def _keep_first_letters(residue: gemmi.Residue) -> None:
    first: dict[str, str] = {}
    for i in reversed([i for i, atom in enumerate(residue) if first.setdefault(atom.name, atom.altloc) != atom.altloc]):
        del residue[i]
    for atom in residue:
        atom.altloc = "\0"


def require_coordinates(structure: gemmi.Structure, path: Path) -> None:
    """Refuse atoms without coordinates; remove those with exactly the coordinates of an earlier one, and log how many.

    Raises:
        UserError: Coordinates that are not finite, 9999 (CHARMM's undefined), or 0 of more than one atom.
    """
    found, repeated, at_origin = set(), 0, 0
    for chain in structure[0]:
        for residue in chain:
            again = []
            for i, atom in enumerate(residue):
                _require_defined(residue, atom, path)
                position = tuple(atom.pos.tolist())
                at_origin += position == (0.0, 0.0, 0.0)
                if position in found:
                    again.append(i)
                found.add(position)
            for i in reversed(again):
                del residue[i]
            repeated += len(again)
    if at_origin > 1:
        raise UserError(
            f"{path}: {at_origin} atoms are at (0, 0, 0), which marks unknown coordinates; correct or remove them"
        )
    if repeated:
        logging.getLogger(__name__).info(
            "%s: %d atoms have exactly the coordinates of another one and are left out: is a part duplicated?",
            path,
            repeated,
        )


def _require_defined(residue: gemmi.Residue, atom: gemmi.Atom, path: Path) -> None:
    position = atom.pos.tolist()
    if all(map(isfinite, position)) and any(int(value) != _UNDEFINED for value in position):
        return
    listed = ", ".join(f"{value:g}" for value in position)
    raise UserError(
        f"{path}: atom {atom.name} of {residue.name} {residue.seqid} (serial {atom.serial}) is at ({listed}), "
        "which is undefined; correct or remove it"
    )
