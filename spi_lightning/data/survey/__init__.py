"""Survey of a file of patterns: what a simulation must know of it, and the recipe of such a simulation."""
