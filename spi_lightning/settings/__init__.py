"""Checks of settings: whether a value fits the annotation and the range of a parameter of a function or class."""

from .checks import check_settings, field_types, filled
from .differences import as_words, differences, entries_of, laid_over, word_of
from .fitting import Misfit, as_written, misfit_of
from .ranges import check_range
from .signatures import annotations, named, parameters, setting, takes_setting, with_defaults
from .unknown import no_setting, unknown_setting
from .unused import unused_parts

__all__ = [
    "Misfit",
    "annotations",
    "as_words",
    "as_written",
    "check_range",
    "check_settings",
    "differences",
    "entries_of",
    "field_types",
    "filled",
    "laid_over",
    "misfit_of",
    "named",
    "no_setting",
    "parameters",
    "setting",
    "takes_setting",
    "unknown_setting",
    "unused_parts",
    "with_defaults",
    "word_of",
]
