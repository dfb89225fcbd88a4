"""A command of ``spi`` run in this process."""

import sys
from unittest.mock import patch

from spi_lightning.apps import spi


def status(*words: str) -> int:
    """Exit status of ``spi WORDS``."""
    with patch.object(sys, "argv", ["spi", *words]), patch.dict("os.environ", HYDRA_FULL_ERROR="0"):
        try:
            spi.main()
        except SystemExit as left:
            return int(left.code or 0)
    return 0
