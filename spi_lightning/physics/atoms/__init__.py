"""Macromolecules as atoms: tables, scattering factors, structure factors on grids, photons in pixels."""
