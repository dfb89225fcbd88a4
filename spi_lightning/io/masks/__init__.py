"""Detector masks: files, conventions, bits, and sentinels, the stored values of unmeasured pixels."""
