"""Command lines: one module a command, and the checks of their settings. Only here Hydra is imported."""

import sys

from spi_lightning import quiet_start

if sys.argv[0] == "-m":  # a command is being started; its own module is imported next
    quiet_start.begin()
