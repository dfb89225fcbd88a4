"""Reader of the JSON files of a run folder."""

import json
from pathlib import Path
from typing import Any

from spi_lightning.errors import UserError

from .damage import reading, require_file


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: The file is missing, damaged, or does not hold a JSON object.
    """
    require_file(path, "give the folder of a finished run")
    with reading(path, "JSON", also=(RecursionError,)):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds {type(content).__name__} instead of a JSON object; copy it again")
    return content


def read_metrics(path: Path) -> dict[str, Any]:
    """Read metrics.json of a run: numbers by name, and of evaluations by method and name under ``methods``.

    Raises:
        UserError: As read_json, or the methods are not objects.
    """
    metrics = read_json(path)
    methods = metrics.get("methods", {})
    if not (isinstance(methods, dict) and all(isinstance(numbers, dict) for numbers in methods.values())):
        raise UserError(f"{path}: its methods are not objects with numbers; copy it again or repeat the evaluation")
    return metrics
