"""Files of a run folder: settings, versions, numbers, each written atomically, undone after a mistake."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from spi_lightning.files import atomic_write, remove_empty
from spi_lightning.results.training import CONFIG, LOG, VERSIONS
from spi_lightning.tasks.checkpoint_files import BEST


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


@contextmanager
def undone_after(is_mistake: Callable[[Exception], bool], folder: Path, discard: Callable[[], None]) -> Iterator[None]:
    """Context that leaves a run folder as it was, byte for byte, where a mistake ends it.

    Args:
        is_mistake: Function that says whether an error is a mistake made before anything was saved; after other errors
            the folder stays as it is.
        folder: Run folder of the training.
        discard: Function that removes what the loggers have written.
    """
    before = {
        path: path.read_bytes() if path.is_file() else None for path in map(folder.joinpath, (CONFIG, VERSIONS, LOG))
    }
    best = folder / BEST
    had_best = best.is_file()
    try:
        yield
    except Exception as error:
        if not is_mistake(error):
            raise
        discard()
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                with atomic_write(path) as part:
                    part.write_bytes(content)
        if not had_best:  # else copied from the run that was resumed
            best.unlink(missing_ok=True)
            remove_empty([best.parent])
        raise
