"""Phasing recipes: updates in their order, as one line of text, as YAML, or as frozen dataclasses."""
