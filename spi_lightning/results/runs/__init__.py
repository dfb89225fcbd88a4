"""Runs side by side: those that folders and sweeps hold, their settings, how far they came and what they measured.

What stands in the files is read here; tables and pages are made by reports.runs.
"""

from .found import Found, find_runs
from .run import JOB, Run, State, search_direction
from .varied import ABSENT, Column, varied_settings

__all__ = ["ABSENT", "JOB", "Column", "Found", "Run", "State", "find_runs", "search_direction", "varied_settings"]
