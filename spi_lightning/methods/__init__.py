"""A method answers a data set: checkpoints, baselines and phasing under one protocol."""
