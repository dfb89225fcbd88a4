"""Assemblies are built, repeated atoms of sound files kept, alternatives and duplicates not; faults are one line."""

import logging
from pathlib import Path

import gemmi
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.structures.structure import StructureOptions, read_structure
from tests.io.structures.test_structure import line, pdb

WATER = line(9, " O", "HOH", "W", "5 ", (5, 5, 5), "O", record="HETATM")


def lines(
    chains: str, name: str = "A", matrix: str = " 1.000000  0.000000  0.000000", shift: str = "30.00000"
) -> list[str]:
    """Three atoms, a water, and an assembly of two copies of some chains."""
    rows = (" 1.000000  0.000000  0.000000", " 0.000000  1.000000  0.000000", " 0.000000  0.000000  1.000000")
    remark = ["REMARK 350 BIOMOLECULE: 1", f"REMARK 350 APPLY THE FOLLOWING TO CHAINS: {chains}"]
    remark += [f"REMARK 350   BIOMT{i + 1}   1 {row}        0.00000" for i, row in enumerate(rows)]
    remark += [
        f"REMARK 350   BIOMT{i + 1}   2 {row} {shift if i == 0 else '0.00000':>14}"
        for i, row in enumerate((matrix, *rows[1:]))
    ]
    atoms = [line(i + 1, f" {a:<3}", "ALA", name, "1 ", (float(i), 1, 2), a[0]) for i, a in enumerate(("N", "CA", "C"))]
    return [*remark, *atoms, WATER]


@pytest.mark.parametrize(("chains", "name"), [("A", "A"), ("A, W", "A"), ("NULL", " "), (" ", " ")])
def test_copies_of_chains(tmp_path: Path, chains: str, name: str) -> None:
    assert read_structure(pdb(tmp_path, *lines(chains, name))).atomic_number.tolist() == [7, 6, 6] * 2


def test_mmcif_whose_assembly_lists_its_waters(tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(pdb(tmp_path, *lines("A, W"))))
    structure.setup_entities()
    (tmp_path / "1abc.cif").write_text(structure.make_mmcif_document().as_string())
    assert read_structure(tmp_path / "1abc.cif").atomic_number.tolist() == [7, 6, 6] * 2
    assert len(read_structure(tmp_path / "1abc.cif", StructureOptions(waters=True))) == 8
    (tmp_path / "1ABC.CIF").write_text((tmp_path / "1abc.cif").read_text())
    assert len(read_structure(tmp_path / "1ABC.CIF")) == 6


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lines("A, B"), "the biological assembly 1 names chain B, which is not in the file"),
        (lines("W"), "the biological assembly 1 holds no atoms of the file"),
        (lines("A", matrix=" 0.000000  0.000000  0.000000"), "operator 2 of the biological assembly is not a rotation"),
        (lines("A", matrix=" 1.000000 *********  0.000000"), "BIOMT1.* does not hold four numbers"),
        (lines("A", shift="*****"), "BIOMT1.* does not hold four numbers"),
    ],
)
def test_what_cannot_be_built_is_one_line(tmp_path: Path, made: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_structure(pdb(tmp_path, *made))


PEPTIDE = [
    line(i + 1, f" {name:<3}", "ALA", "A", "1 ", (float(i), 1, 2), name[0]) for i, name in enumerate(("N", "CA", "C"))
]


def moved(lines: list[str], by: float, residue: str = "ALA") -> list[str]:
    """The same atoms elsewhere along x."""
    return [f"{text[:17]}{residue}{text[20:30]}{float(text[30:38]) + by:8.3f}{text[38:]}" for text in lines]


@pytest.mark.parametrize("chain", ["A", " "])
@pytest.mark.parametrize("residue", ["ALA", "GLY"])
def test_chains_of_one_name_are_both_kept(tmp_path: Path, chain: str, residue: str) -> None:
    lines = [*PEPTIDE, "TER", *moved(PEPTIDE, 30, residue)]
    path = pdb(tmp_path, *(text[:21] + chain + text[22:] for text in lines))
    assert read_structure(path).atomic_number.tolist() == [7, 6, 6, 7, 6, 6]


def test_segments_and_ligands_whose_atoms_have_one_name(tmp_path: Path) -> None:
    segments = [f"{text[:72]}S{i:<3}{text[76:]}" for i, text in enumerate(PEPTIDE)]
    ligand = [line(9 + i, " C", "LIG", "A", "5 ", (i, 9, 9), "C", record="HETATM") for i in range(4)]
    assert read_structure(pdb(tmp_path, *segments, *ligand)).atomic_number.tolist() == [7, *[6] * 6]


def test_ions_that_share_a_number_without_elements(tmp_path: Path) -> None:
    ions = [line(9 + i, " NA", "NA", "A", "5 ", (i, 9, 9), "", record="HETATM") for i in range(3)]
    assert read_structure(pdb(tmp_path, *PEPTIDE, *ions)).atomic_number.tolist()[3:] == [11, 11, 11]


def test_first_letters_of_alternatives(tmp_path: Path) -> None:
    mutated = [
        line(4, " CA", "SER", "A", "2 ", (5, 0, 0), "C", "A"),
        line(5, " OG", "SER", "A", "2 ", (6, 0, 0), "O", "A"),
    ]
    mutated += [
        line(6, " CA", "MET", "A", "2 ", (7, 0, 0), "C", "B"),
        line(7, " SD", "MET", "A", "2 ", (8, 0, 0), "S", "B"),
    ]
    assert read_structure(pdb(tmp_path, *PEPTIDE, *mutated)).atomic_number.tolist() == [7, 6, 6, 6, 8]
    moved_letters = [line(8 + i, " CB", "ALA", "A", "1 ", (i, 7, 7), "C", letter) for i, letter in enumerate("BAA")]
    assert len(read_structure(pdb(tmp_path, *PEPTIDE, *moved_letters))) == 4


def test_atoms_written_twice_are_left_out_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert len(read_structure(pdb(tmp_path, *PEPTIDE, *PEPTIDE))) == 3
    assert "3 atoms have exactly the coordinates of another one and are left out" in caplog.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [("   0.000" * 3, r"2 atoms are at \(0, 0, 0\)"), ("9999.000" * 3, r"atom CA of ALA 1 .* \(9999, 9999, 9999\)")],
)
def test_undefined_coordinates(tmp_path: Path, columns: str, message: str) -> None:
    none = [text[:30] + columns + text[54:] for text in PEPTIDE[1:]]
    with pytest.raises(UserError, match=message):
        read_structure(pdb(tmp_path, PEPTIDE[0], *none))


def test_skipped_atoms_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unknown = line(9, "XX", "UNX", "A", "5 ", (5, 5, 5), "X", record="HETATM")
    with caplog.at_level(logging.INFO):
        assert len(read_structure(pdb(tmp_path, *PEPTIDE, unknown), StructureOptions(unknown="skip"))) == 3
    assert "1 of 4 atoms are left out, their element is unknown" in caplog.text


def test_a_last_line_that_was_cut(tmp_path: Path) -> None:
    path = pdb(tmp_path, *PEPTIDE)
    path.write_text("\n".join(PEPTIDE)[:-28])
    with pytest.raises(UserError, match="truncated, its last line ends after"):
        read_structure(path)
    path.write_text("\n".join(PEPTIDE))  # no END, no line break: all of it is there
    assert len(read_structure(path)) == 3
