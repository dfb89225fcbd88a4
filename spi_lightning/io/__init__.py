"""One module per file format: past this package nobody asks where a pattern came from."""
