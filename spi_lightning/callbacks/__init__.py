"""What happens beside training: saved configs, galleries, progress."""
