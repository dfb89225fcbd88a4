"""Orientations of a selection of single hits, and their merged intensity, by EMC.

Patterns of a file and dataclasses in, a result out; no configuration files::

    patterns = open_source("runs/evaluate/RUN")  # or open_patterns(path)
    result, numbers = orient(patterns, "runs/orient/a", OrientationSettings(symmetry="icosahedral"))
"""

from .orient import OrientationProblem, orient, prepare, solve
from .settings import DetectorGeometry, FirstGuess, OrientationSettings, Rings
from .window import open_source

__all__ = [
    "DetectorGeometry",
    "FirstGuess",
    "OrientationProblem",
    "OrientationSettings",
    "Rings",
    "open_source",
    "orient",
    "prepare",
    "solve",
]
