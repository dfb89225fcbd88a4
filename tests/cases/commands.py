"""Commands run as their users run them: exit status, console, and what was written."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status, console (both streams), folder for its results and whether it exists."""

    status: int
    console: str
    out: Path

    @property
    def last(self) -> str:
        """Last line of the console."""
        lines = [line for line in re.split(r"[\r\n]", self.console) if line.strip()]
        return lines[-1] if lines else ""

    def written(self) -> list[str]:
        """Files below the output, by their path in it."""
        if self.out.is_file():
            return [self.out.name]
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())

    def metrics(self) -> dict[str, Any]:
        """metrics.json of the run; empty where there is none."""
        path = self.out / "metrics.json"
        return dict(json.loads(path.read_text())) if path.is_file() else {}


class Commands:
    """One process that forks a child for every command; use it as a context manager.

    Args:
        packages: Folders of further packages that the commands can import.
    """

    def __init__(self, *packages: Path) -> None:
        path = os.pathsep.join(map(str, (ROOT, *packages)))
        variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        variables.pop("HYDRA_FULL_ERROR", None)
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)

    def run(self, words: Sequence[str], folder: Path, out: Path, seconds: float = SECONDS) -> Outcome:
        """Run `spi WORDS` in a folder; out is where its results go."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        console = out.parent / f"{out.name}.console"
        console.parent.mkdir(parents=True, exist_ok=True)
        request = {"words": list(words), "folder": str(folder), "console": str(console), "seconds": seconds}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        status = json.loads(self._server.stdout.readline())["status"]
        return Outcome(int(status), console.read_bytes().decode(errors="backslashreplace"), out)
