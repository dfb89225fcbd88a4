"""Fixtures of hits: a run folder with a checkpoint, and a file of patterns."""

from tests.hit_runs import make_file, make_run

__all__ = ["make_file", "make_run"]
