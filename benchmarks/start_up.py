"""CPU seconds of ``spi`` from its start to its help, or to the first line that names its file: start_up FILE.

Goals: help 0.3 s, describe and phase 3 s. FILE is one of 2D patterns, such as of ``spi simulate``. Linux.
"""

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
    path = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        phase = ("phase", path, "data.frame=0", "starts=1", f"out={folder}")
        for word, *command in (
            ("describe", "--help"),
            ("KEY=VALUE", "train", "--help"),
            (path, "describe", path),
            (path, *phase),
        ):
            least = min(seconds_until(word, *command) for _ in range(3))
            print(f"{command[0]:<10}{least:5.2f} s of CPU")


if __name__ == "__main__":
    main()
