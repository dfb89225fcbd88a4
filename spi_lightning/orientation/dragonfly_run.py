"""Run of the Dragonfly program on files written for it: where it is, its progress, and its log where it fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from rich.progress import TimeElapsedColumn

from spi_lightning.errors import UserError
from spi_lightning.io.dragonfly.output import read_log
from spi_lightning.progress import ProgressBar

from .dragonfly_input import CONFIG, LOG, OUTPUT

PROGRAM: Final = "dragonfly.emc"
PRINTED: Final = "dragonfly.log"  # its standard output; EMC.log is its own table
INSTALL: Final = (
    "sudo apt-get install libgsl-dev libopenmpi-dev libhdf5-dev pkg-config && pip install mpi4py dragonfly-spi"
)
_TAIL, _PATIENCE = 25, 0.3  # lines shown of a failure; seconds between looks


def find_dragonfly(where: str | None) -> str:
    """Path of the program.

    Args:
        where: The program, its folder or a virtual environment that holds it; None: found in PATH.

    Raises:
        UserError: It is not there; the sentence says how to install it.
    """
    if where is None:
        paths, what = [shutil.which(PROGRAM)], f"no {PROGRAM} in PATH"
    else:
        home = Path(where)
        files = [home, home / PROGRAM, home / "bin" / PROGRAM]
        paths, what = [shutil.which(str(file)) for file in files if file.is_file()], f"not at dragonfly={where}"
    found = next((path for path in paths if path), None)
    if found is None:
        raise UserError(
            f"Dragonfly is not installed ({what}): {INSTALL}; or say where it is with dragonfly=PATH, a virtual "
            "environment of its own will do"
        )
    return str(Path(found).absolute())


def run_dragonfly(program: str, folder: Path, iterations: int, threads: int | None, keep: str = "last") -> None:
    """Run the iterations in a folder of input files, with a progress bar on stderr.

    Args:
        program: Path of the program, see find_dragonfly.
        folder: Holds config.ini; gets data/output_NNN.h5, EMC.log and dragonfly.log, of which older ones are removed.
        iterations: Number of EMC iterations.
        threads: Number of OpenMP threads; None: all cores this process may use.
        keep: "last": outputs of earlier iterations are removed as the run goes on; "all": none is.

    Raises:
        UserError: It failed, after the end of its log was shown; or it ended without its last output.
    """
    shutil.rmtree(folder / OUTPUT, ignore_errors=True)
    (folder / LOG).unlink(missing_ok=True)
    command = [program, "-c", CONFIG, *(["-t", str(threads)] if threads else []), str(iterations)]
    with (folder / PRINTED).open("wb") as printed:
        process = subprocess.Popen(
            command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            _watch(process, folder, iterations, keep)
        finally:
            if process.poll() is None:  # Ctrl-C, or a fault of ours
                process.terminate()
                process.wait()
    _require_success(process.returncode, folder, iterations)
    if keep == "last":
        _remove_before(folder, iterations)


def _watch(process: subprocess.Popen[bytes], folder: Path, iterations: int, keep: str) -> None:
    """Advance the bar with every line of EMC.log until the program has ended."""
    with ProgressBar(TimeElapsedColumn(), always=True) as progress:
        task = progress.add_task("Dragonfly", total=iterations)
        done = 0
        while True:
            ended = process.poll() is not None
            log = read_log(folder / LOG)
            if len(log["iteration"]) != done:
                done = len(log["iteration"])
                words = f"Dragonfly, mutual information {log['mutual_information'][-1]:.2f} nat"
                progress.update(task, completed=done, description=words)
                if keep == "last":
                    _remove_before(folder, done - 1)
            if ended:
                return
            time.sleep(_PATIENCE)


def _remove_before(folder: Path, iteration: int) -> None:
    for file in (folder / OUTPUT).glob("output_*.h5"):
        number = re.fullmatch(r"output_(\d+)\.h5", file.name)
        if number and int(number[1]) < iteration:
            file.unlink(missing_ok=True)


def _require_success(status: int, folder: Path, iterations: int) -> None:
    """UserError for a run that failed or ended early, after the end of its log was shown."""
    done = len(read_log(folder / LOG)["iteration"])
    if status == 0 and done >= iterations:
        return
    how = f"was killed by signal {-status}" if status < 0 else f"left with status {status}"
    lines = (folder / PRINTED).read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"--- end of {folder / PRINTED}", *lines[-_TAIL:], "---", sep="\n", file=sys.stderr)
    hint = ": pip install mpi4py" if any("No module named 'mpi4py'" in line for line in lines) else ""
    memory = ", perhaps for want of memory" if status == -9 else ""
    raise UserError(f"Dragonfly {how} after {done} of {iterations} iterations{memory}; its log is above{hint}")
