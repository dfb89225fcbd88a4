"""Evaluation of support finding: answers of methods to patterns, and their scores.

From a file in a notebook: ``compare_supports(open_patterns(path), [method]).metrics``.
"""

from .compare import SupportQuestion, compare_supports
from .scoring import SupportScoring

__all__ = ["SupportQuestion", "SupportScoring", "compare_supports"]
