"""Refinement of networks on one measured pattern, without ground truth; Wu et al. (2021)."""
