"""3D patterns: measured rocking scans, files of patterns, known objects."""
