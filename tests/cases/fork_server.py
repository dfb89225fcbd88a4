"""Runs commands of the project in forked children of one process that has imported torch and Hydra already.

Reads one JSON request a line from standard input: {"words", "folder", "console", "seconds"};
answers with one JSON line: {"status"}: the exit status, 124 where the time ran out, -signal where a signal ended it.
"""

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import matplotlib.backends.backend_agg
import matplotlib.backends.backend_svg  # noqa: F401  what every child needs is imported once
from hydra.core.plugins import Plugins

import spi_lightning.apps.evaluate
import spi_lightning.apps.phase
import spi_lightning.apps.simulate
import spi_lightning.physics
import spi_lightning.simulate
from spi_lightning.apps.spi import main
from spi_lightning.fingerprint import fingerprint
from spi_lightning.tracking.run_folder import versions


def child(request: dict[str, Any]) -> int:
    """Run one command with its console in a file; returns its exit status."""
    console = os.open(request["console"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (console, 1), (console, 2)):
        os.dup2(ours, theirs)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)  # noqa: SIM115
    os.chdir(request["folder"])
    sys.argv = ["spi", *request["words"]]
    try:
        main()
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
            return 1
        return int(leaving.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run(request: dict[str, Any]) -> int:
    """Fork, wait for the child, and end it where it takes longer than it may."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        status = 1
        try:
            status = child(request)
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)
    deadline = time.monotonic() + float(request["seconds"])
    while time.monotonic() < deadline:
        ended, code = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(code)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 124


def warm() -> None:
    """Do once what every child would: scan Hydra's plugins, read installed packages, hash the simulation's source."""
    Plugins.instance()
    versions()
    fingerprint(code=(spi_lightning.physics, spi_lightning.simulate))


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        print(json.dumps({"status": run(json.loads(line))}), flush=True)
