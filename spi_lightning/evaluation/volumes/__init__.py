"""Evaluation of 3D phasing: ensembles of runs, their scores, and the files they are written to."""
