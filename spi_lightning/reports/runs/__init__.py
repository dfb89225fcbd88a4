"""Runs side by side, by the settings in which they differ and the number that counts: on the screen, as CSV, as a page."""

from .comparison import Comparison, compare_runs
from .page import write_comparison, write_outputs
from .screen import print_comparison

__all__ = ["Comparison", "compare_runs", "print_comparison", "write_comparison", "write_outputs"]
