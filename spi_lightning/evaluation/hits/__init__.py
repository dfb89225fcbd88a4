"""Evaluation of hit selection: answers of methods to a file of frames, and their scores."""
