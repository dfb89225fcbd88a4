"""General classifier on twelve simulated experiments that no training draw resembles, on real files and on tori."""
