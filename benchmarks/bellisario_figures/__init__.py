"""Figures of Bellisario & Ekeberg (2024), one command each: python -m benchmarks.bellisario_figures NAME.

Patterns are simulated from structures that no network was trained on, at 64 x 64 pixels of 4.66 Angstrom.
"""
