"""Files of a run folder: settings, versions and numbers, each written atomically."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

CONFIG, VERSIONS, METRICS, LOG = "config.yaml", "versions.json", "metrics.json", "metrics.csv"


def versions() -> dict[str, Any]:
    """Packages, Python, git revision of the checkout and hardware of this process, as plain containers."""
    return {
        "packages": dict(_packages()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": git_revision(),
        "cpu": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


@cache
def _packages() -> dict[str, str]:
    """Version of every installed package by its name, in alphabetical order; a process reads them once."""
    about = [distribution.metadata for distribution in metadata.distributions()]
    return dict(sorted(((each["Name"], each["Version"]) for each in about), key=lambda item: item[0].lower()))


def git_revision() -> str | None:
    """Commit of the checkout of this package, with "-dirty" if files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    """Name of the processor from Linux, else from Python."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
