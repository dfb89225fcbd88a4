"""Evaluation of support finding: answers of methods to patterns, and their scores."""
