"""The commands: recipes over the rooms below, and what only commands need. The only room that knows Hydra."""

import sys

from spi_lightning import quiet_start

if sys.argv[0] == "-m":  # a command is being started; its own module is imported next
    quiet_start.begin()
