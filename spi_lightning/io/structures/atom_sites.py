"""Atoms of a structure that stand for one: alternative locations and atoms written twice; places that are none."""

from __future__ import annotations

import logging
from math import isfinite
from pathlib import Path
from typing import Final

import gemmi

from spi_lightning.errors import UserError

_UNDEFINED: Final = 9999.0  # Angstrom, along each axis: what CHARMM writes for atoms that were not built


def keep_first_alternatives(structure: gemmi.Structure) -> None:
    """Keep the first alternative location of every atom, known by its letter alone.

    Numbers of residues and names of atoms repeat in sound files too: chains without an identifier, segments, ligands
    whose atoms are all called C. Residues of one number and several names are alternatives (a point mutation) where
    all of their atoms have letters and no letter is that of both.
    """
    for model in structure:
        for chain in model:
            first: dict[str, set[str]] = {}
            for i in reversed([i for i, residue in enumerate(chain) if _is_mutation(residue, first)]):
                del chain[i]
            for residue in chain:
                _keep_first_letters(residue)


def _is_mutation(residue: gemmi.Residue, first: dict[str, set[str]]) -> bool:
    """Whether a residue is an alternative of an earlier one of its number, whose letters ``first`` then holds."""
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


def require_places(structure: gemmi.Structure, path: Path) -> None:
    """Refuse atoms without a place; leave out those that lie exactly where an earlier one does, and say how many.

    Raises:
        UserError: Coordinates that are not finite, 9999 (CHARMM's undefined), or 0 of more than one atom.
    """
    found, repeated, at_origin = set(), 0, 0
    for chain in structure[0]:
        for residue in chain:
            again = []
            for i, atom in enumerate(residue):
                _require_place(residue, atom, path)
                place = tuple(atom.pos.tolist())
                at_origin += place == (0.0, 0.0, 0.0)
                if place in found:
                    again.append(i)
                found.add(place)
            for i in reversed(again):
                del residue[i]
            repeated += len(again)
    if at_origin > 1:
        raise UserError(
            f"{path}: {at_origin} atoms lie at (0, 0, 0), which stands for coordinates that are not known; correct or "
            "remove them"
        )
    if repeated:
        logging.getLogger(__name__).info(
            "%s: %d atoms lie exactly where another one does and are left out: is a part of the file there twice?",
            path,
            repeated,
        )


def _require_place(residue: gemmi.Residue, atom: gemmi.Atom, path: Path) -> None:
    place = atom.pos.tolist()
    if all(map(isfinite, place)) and any(int(value) != _UNDEFINED for value in place):
        return
    shown = ", ".join(f"{value:g}" for value in place)
    raise UserError(
        f"{path}: atom {atom.name} of {residue.name} {residue.seqid} (serial {atom.serial}) has coordinates ({shown}), "
        "which are none; correct or remove it"
    )
