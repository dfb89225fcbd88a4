"""Metrics of hit classification: curves, calibration, purity, paired tests, distance from the training domain."""
