"""3D patterns as batches: measured rocking scans, files of patterns, known objects."""
