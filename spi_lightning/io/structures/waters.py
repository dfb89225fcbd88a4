"""Water molecules in structures, recognised by their names and their atoms."""

from __future__ import annotations

from typing import Final

import gemmi

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
