"""Atoms of a structure file that are used: its biological assembly, first alternatives, no duplicates, bound waters.

An assembly is built by operators on the chains of the file (REMARK 350, _pdbx_struct_assembly).
"""

import logging
from math import isfinite
from pathlib import Path
from typing import Final

import gemmi
import numpy as np

from spi_lightning.errors import UserError

_INSTEAD: Final = "correct it or give simulate.structures.options.assembly=asymmetric_unit"
_BLANK: Final = ("", "NULL")  # a chain without an identifier, and its name in REMARK 350


def chain_names(model: gemmi.Model) -> set[str]:
    """Names that an assembly may list: those of chains (PDB) and of subchains (mmCIF's label_asym_id)."""
    return {name for chain in model for name in (chain.name, *(residue.subchain for residue in chain))}


def assembled(structure: gemmi.Structure, of_file: set[str], path: Path) -> gemmi.Model:
    """Model of the first assembly that is listed; the first model if none is.

    Args:
        structure: Structure as read, with or without waters.
        of_file: Names of all chains in the file, also of those that hold waters alone.
        path: Path of the file, for messages.

    Raises:
        UserError: The assembly names a chain that is not in the file, holds no atoms, or has an operator that is not a
            rotation and shift.
    """
    if not structure.assemblies:
        return structure[0]
    assembly, present = structure.assemblies[0], chain_names(structure[0])
    for part in assembly.generators:
        _require_motions(part, path)
        chains = [_name(name, of_file) for name in part.chains] or ([] if part.subchains else [_name("", of_file)])
        missing = [name for name in (*chains, *part.subchains) if name not in of_file]
        if missing:
            raise UserError(
                f"{path}: the biological assembly {assembly.name} names chain {missing[0] or '(blank)'}, which is not "
                f"in the file; {_INSTEAD}"
            )
        part.chains = [name for name in chains if name in present]
        part.subchains = [name for name in part.subchains if name in present]
    model = gemmi.make_assembly(assembly, structure[0], gemmi.HowToNameCopiedChain.Dup)
    if model.count_atom_sites() == 0:
        raise UserError(f"{path}: the biological assembly {assembly.name} holds no atoms of the file; {_INSTEAD}")
    return model


def _name(name: str, of_file: set[str]) -> str:
    """Name of a chain in the file."""
    return "" if name in _BLANK and name not in of_file else name


def _require_motions(part: gemmi.Assembly.Gen, path: Path) -> None:
    for operator in part.operators:
        turn = np.array(operator.transform.mat.tolist())
        shift = np.array(operator.transform.vec.tolist())
        if not (np.isfinite(shift).all() and np.allclose(turn @ turn.T, np.eye(3), atol=0.01)):
            raise UserError(
                f"{path}: operator {operator.name} of the biological assembly is not a rotation and shift; {_INSTEAD}"
            )


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


_NAMES: Final = (
    *("HOH", "WAT", "DOD", "H2O", "D2O", "HHO", "OH2", "SOL", "SPC", "SPCE", "W", "MTO", "DIS", "OHH", "TSW"),
    *("TIP", "TIP2", "TIP3", "TIP4", "TIP5", "TP3", "TP4", "TP5", "T3P", "T4P", "T5P", "T4E", "T3H", "WTR", "WO"),
)


def is_water(residue: gemmi.Residue) -> bool:
    """Whether a residue is a water molecule.

    It has one oxygen, at most two hydrogens and otherwise only sites without an element (lone pairs, virtual charges);
    without its two hydrogens its name must be a usual one of water. The atoms decide because some of these names are
    those of other residues: T3P is a nucleotide.
    """
    oxygens = [atom for atom in residue if atom.element.atomic_number == 8]
    hydrogens = sum(atom.element.is_hydrogen for atom in residue)
    others = sum(atom.element.atomic_number > 1 for atom in residue) - len(oxygens)
    one = len({atom.name for atom in oxygens}) == 1 and others == 0
    if not one or len({atom.name for atom in residue if atom.element.is_hydrogen}) > 2:
        return False
    return residue.name.upper() in _NAMES or (hydrogens == 2 and len(oxygens) == 1 and len(residue) == 3)


def remove_waters(structure: gemmi.Structure) -> None:
    """Remove all water molecules."""
    for model in structure:
        for chain in model:
            for i in reversed(range(len(chain))):
                if is_water(chain[i]):
                    del chain[i]
