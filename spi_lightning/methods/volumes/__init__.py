"""Methods that phase 3D patterns: iterative recipes, gradient refinement, networks."""
