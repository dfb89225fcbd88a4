"""Macromolecules in the beam: projected maps, Ewald sphere, photons; Bellisario & Ekeberg (2024)."""
