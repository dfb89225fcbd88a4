"""Metrics of 3D reconstructions: against the true particle and against the measured pattern."""
