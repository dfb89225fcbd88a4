"""The commands: recipes over the packages below. The only place that knows Hydra."""

import sys

from spi_lightning import quiet_start

if sys.argv[0] == "-m":  # a command is being started; its own module is imported next
    quiet_start.begin()
