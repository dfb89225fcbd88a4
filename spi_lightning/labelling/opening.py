"""Start and end of the labelling page: its frames, its address on the screen, the browser, the server until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spi_lightning.console import Terminal
from spi_lightning.io.patterns.frame_lists import frame_numbers
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.io.patterns.side_files import read_side_file
from spi_lightning.mistakes import SignalError

from .server import LabelServer


def frames_named(only: str | int | Sequence[int], patterns: PatternFile) -> NDArray[np.int64]:
    """Frame numbers (n,) of a list, or of a file of them, such as second_look.txt of an evaluation.

    Raises:
        UserError: No such file, or numbers that are no frames of the file.
    """
    named = isinstance(only, str)
    values = read_side_file(Path(str(only)), (1, 2), "only") if named else np.atleast_1d(np.asarray(only))
    return frame_numbers(values, len(patterns), f"only={only}")[0]


def serve(server: LabelServer, open_browser: bool) -> None:
    """Print the address of a page, open it where there is a screen, and answer until Ctrl-C, which is no mistake.

    Args:
        server: Server of the page.
        open_browser: Whether to open the page in a browser of this machine.
    """
    terminal, port = Terminal(), server.server_address[1]
    terminal.print(f"label: {server.address}", soft_wrap=True)
    terminal.print("Ctrl-C ends; every label is in the file as soon as its key was pressed", soft_wrap=True)
    if "SSH_CONNECTION" in os.environ:
        terminal.print(f"from your machine: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}", soft_wrap=True)
    if open_browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except SignalError:
        raise
    except KeyboardInterrupt:
        terminal.print()


def _has_screen() -> bool:
    """Whether a browser with windows can be opened; one of the terminal would take the keys of the command."""
    return sys.platform in ("darwin", "win32") or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
