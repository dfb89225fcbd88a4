"""Baselines without training: neighbours and graphs of patterns, and supports from autocorrelations.

Pure functions of tensors and sparse matrices, without files or decisions.
"""
