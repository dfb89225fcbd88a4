"""EMC (expand, maximise, compress) in torch: orientations of patterns and their merged intensity, without Dragonfly."""

from .run import EmcInput, EmcRun, emc_problem, run_emc
from .settings import EmcSettings, read_emc

__all__ = ["EmcInput", "EmcRun", "EmcSettings", "emc_problem", "read_emc", "run_emc"]
