"""Loss functions with one value per pattern."""
