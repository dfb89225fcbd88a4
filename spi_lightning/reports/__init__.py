"""Figures, tables and the page, made from a run folder."""
