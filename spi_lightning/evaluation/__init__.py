"""Evaluation of methods on the same data: answers asked for, kept, scored and compared.

One protocol and one runner for all kinds; hits/, supports/ and volumes/ hold only what differs.
"""

from spi_lightning.fingerprint import Irrelevant, fingerprint, require_fingerprint
from spi_lightning.progress import Listener
from spi_lightning.results.answered import Answered, combined
from spi_lightning.results.cost import Cost

from .ask import ask, ask_whole
from .cache import Cache
from .protocol import Method, Question

__all__ = [
    "Answered",
    "Cache",
    "Cost",
    "Irrelevant",
    "Listener",
    "Method",
    "Question",
    "ask",
    "ask_whole",
    "combined",
    "fingerprint",
    "require_fingerprint",
]
