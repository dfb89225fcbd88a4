"""CPU seconds of ``spi`` from its start to its help, or to the first line that names its file, on Linux.

python -m benchmarks.start_up FILE, a file of 2D patterns, such as of ``spi simulate``. Goals: help 0.3 s, describe and
phase 3 s.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def seconds_until(word: str, *command: str) -> float:
    """CPU seconds, of user and system, of ``spi COMMAND`` until it prints a line that holds a word.

    Raises:
        ValueError: It ended without one.
    """
    words = [sys.executable, "-m", "spi_lightning", *command]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, text=True, env=surroundings, **streams) as process:  # type: ignore[call-overload]
        for line in process.stdout:
            if word in line:
                ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                process.kill()
                return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    raise ValueError(f"spi {' '.join(command)} printed no {word}")


def main() -> None:
    """Print the least of three runs of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="file of 2D patterns")
    path = str(Path(parser.parse_args().file).resolve())
    with tempfile.TemporaryDirectory() as folder:
        phase = ("phase", path, "data.frame=0", "starts=1", f"out={folder}")
        for name, word, *command in (
            ("spi --help", "describe", "--help"),
            ("spi train --help", "KEY=VALUE", "train", "--help"),
            ("spi describe", path, "describe", path),
            ("spi phase", path, *phase),
        ):
            least = min(seconds_until(word, *command) for _ in range(3))
            print(f"{name:<18}{least:5.2f} s of CPU")


if __name__ == "__main__":
    main()
