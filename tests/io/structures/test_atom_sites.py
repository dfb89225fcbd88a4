"""Atoms that repeat in sound files are kept, alternatives and atoms written twice are not."""

import logging
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.structures.structure import StructureOptions, read_structure
from tests.io.structures.test_structure import line, pdb

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
