"""The command ``spi compare``: training runs, sweeps and evaluations in one table."""

from pathlib import Path

from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.console import Terminal
from spi_lightning.reports.runs import compare_runs, print_comparison, write_outputs
from spi_lightning.settings import entries_of


def compare(cfg: DictConfig) -> None:
    """Print the table of the runs of conf/compare.yaml; write it, and its page, where they are wanted."""
    check_types(cfg, "compare", {"runs": NAMES, "out": NAMES, "objective": TEXT})
    runs, outputs = ([Path(entry) for entry in entries_of(words)] for words in (cfg.runs, cfg.out))
    comparison = compare_runs(runs, cfg.objective)
    print_comparison(comparison)
    for path in write_outputs(comparison, outputs):
        Terminal().print(f"written: {path}", soft_wrap=True)
