"""One pattern to one density: support, start, phasing, polish, assessment, laboratory frame."""
