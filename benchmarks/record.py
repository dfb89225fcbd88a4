"""Write what a benchmark measured beside what it was measured on: benchmarks/results/<name>.json."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy
import torch

RESULTS = Path(__file__).parent / "results"


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
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**result, "machine": machine()}, indent=1) + "\n")
    part.replace(path)
    return path


def read_result(name: str) -> dict[str, Any]:
    """The numbers written before under this name; none if there are none."""
    path = RESULTS / f"{name}.json"
    stored: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return {key: value for key, value in stored.items() if key != "machine"}
