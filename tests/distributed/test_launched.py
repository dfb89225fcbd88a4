"""Lines that launched processes leave to the first one."""

import os
import subprocess
import sys

import pytest

from spi_lightning.distributed.launched import first_process, is_lost_connection, launched, leave, left

LEAVE = "from spi_lightning.distributed.launched import *; assert launched(); leave('first'); leave('second')"


def test_the_first_line_of_a_launched_process_reaches_the_first_process() -> None:
    assert not launched() and left() is None
    with first_process():
        assert not launched()
        subprocess.run([sys.executable, "-c", LEAVE], check=True, env=dict(os.environ))
        assert left() == "first"
    assert left() is None


def test_no_line_is_left_for_a_fault() -> None:
    with first_process():
        leave(None)
        assert left() is None


@pytest.mark.parametrize(
    ("error", "lost"), [(RuntimeError("Connection reset by peer"), True), (ValueError("Broken pipe"), False)]
)
def test_lost_connections(error: Exception, lost: bool) -> None:
    assert is_lost_connection(error) is lost
