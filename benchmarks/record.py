"""Write what a benchmark measured beside what it was measured on: benchmarks/results/<name>.json.

Result files hold what the tables of RESULTS.md and its text need, nine digits of each number; what an interrupted
benchmark needs to go on is kept in runs/bench.
"""

import json
import os
import platform
import textwrap
from pathlib import Path
from typing import Any

import numpy
import torch

from spi_lightning.files import write_text

RESULTS = Path(__file__).parent / "results"
UNFINISHED = Path(__file__).parents[1] / "runs" / "bench"
_WIDTH, _SHORT = 120, 70  # characters of a line of a result file, and of an entry that shares one


def machine() -> dict[str, Any]:
    """Describe processor, accelerator and versions."""
    names = [line.split(":")[1].strip() for line in _cpu_info() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def _cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write one benchmark's numbers with the machine they come from; the file is whole or absent."""
    return write_text(RESULTS / f"{name}.json", as_json({**result, "machine": machine()}) + "\n")


def read_result(name: str) -> dict[str, Any]:
    """The numbers written before under this name; none if there are none."""
    path = RESULTS / f"{name}.json"
    stored: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return {key: value for key, value in stored.items() if key != "machine"}


def write_progress(name: str, numbers: dict[str, Any]) -> None:
    """Keep what an interrupted benchmark needs to go on, every digit of it."""
    write_text(UNFINISHED / f"{name}.json", json.dumps(numbers))


def read_progress(name: str) -> dict[str, Any]:
    """What write_progress kept; none if there is nothing."""
    path = UNFINISHED / f"{name}.json"
    stored: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return stored


def as_json(value: Any, indent: int = 0) -> str:
    """JSON of lines that a reader can follow and a comparison of versions can show: short entries share a line.

    Args:
        value: Plain data; numbers are written with nine digits.
        indent: Columns before the text.
    """
    value = _rounded(value) if indent == 0 else value
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(line) + indent <= _WIDTH or not isinstance(value, dict | list):
        return line
    pad, named = " " * (indent + 1), isinstance(value, dict)
    entries = [
        (f"{json.dumps(key, ensure_ascii=False)}: " if named else "") + as_json(each, indent + 1)
        for key, each in (value.items() if isinstance(value, dict) else enumerate(value))
    ]
    if max(map(len, entries)) <= _SHORT:
        words = ", ".join(entry.replace(" ", "\0") for entry in entries)
        body = textwrap.fill(words, _WIDTH, initial_indent=pad, subsequent_indent=pad, break_long_words=False,
                             break_on_hyphens=False).replace("\0", " ")  # fmt: skip
    else:
        body = ",\n".join(pad + entry for entry in entries)
    return f"{'{' if named else '['}\n{body}\n{' ' * indent}{'}' if named else ']'}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value
