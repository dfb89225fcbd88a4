"""Simulated experiments in the canonical frame: cells of a sixth of a speckle around the beam."""
