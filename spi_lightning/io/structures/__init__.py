"""Macromolecular structures: PDB, mmCIF and tables of atoms, and the archive they are fetched from."""
