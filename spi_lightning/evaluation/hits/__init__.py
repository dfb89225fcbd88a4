"""Evaluation of methods that select single hits: question, numbers, notes, pictures."""

from .evaluate import HitMethod, evaluate_hits, excluded_frames, write_hits
from .question import HitQuestion

__all__ = ["HitMethod", "HitQuestion", "evaluate_hits", "excluded_frames", "write_hits"]
