"""Simulated sets as batches: made once in parts, kept on disk under their settings, or drawn while training."""
