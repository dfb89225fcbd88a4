"""Work split over processes and joined again without padding copies. Knows nothing of patterns."""
