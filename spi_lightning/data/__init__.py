"""Datasets, transforms, splits and one DataModule per kind of batch."""
