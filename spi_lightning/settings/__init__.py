"""Values that a parameter may have: by its type hint, and by its name. Knows nothing of configurations and commands."""

from .ranges import check_range
from .type_hints import Misfit, as_written, misfit_of

__all__ = ["Misfit", "as_written", "check_range", "misfit_of"]
