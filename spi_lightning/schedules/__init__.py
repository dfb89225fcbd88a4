"""What changes with the epoch."""
