"""Simulation of macromolecules: projected maps, Ewald sphere, photons; Bellisario & Ekeberg (2024)."""
