"""Evaluation of methods on the same data: answers are computed, cached, scored and compared.

One protocol and one runner for all kinds; hits/, supports/ and volumes/ hold only what differs.
"""

from .ask import ask, ask_whole
from .cache import Cache
from .protocol import Method, Question

__all__ = ["Cache", "Method", "Question", "ask", "ask_whole"]
