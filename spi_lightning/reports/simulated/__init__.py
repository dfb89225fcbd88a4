"""Pages and pictures of simulated patterns: a set, its likeness to a file, and a network that was tuned with it."""
