"""Macromolecular structures: readers of PDB, mmCIF and tables of atoms, and downloads from an archive."""
