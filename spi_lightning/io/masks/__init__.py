"""Detector masks: files, conventions, bits, and stored values that mark what was not measured."""
