"""Evaluation of methods on the same data: answers asked for, kept, scored and compared."""
