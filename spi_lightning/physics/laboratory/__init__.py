"""Crystals in the laboratory frame: axes, unwrapped phase, displacement and strain along Q."""
