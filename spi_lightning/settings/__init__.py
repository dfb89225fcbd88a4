"""Values that a parameter may have, by its annotation and by its name. Knows nothing of commands."""

from .fitting import Misfit, as_written, misfit_of
from .ranges import check_range
from .signatures import annotations, parameters, setting, takes_setting, with_defaults

__all__ = [
    "Misfit",
    "annotations",
    "as_written",
    "check_range",
    "misfit_of",
    "parameters",
    "setting",
    "takes_setting",
    "with_defaults",
]
