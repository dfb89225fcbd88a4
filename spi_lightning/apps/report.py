"""The command ``spi report``: make the page of a run folder again, from its files."""

from typing import Literal

from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.console import Terminal
from spi_lightning.reports import write_report


def report(cfg: DictConfig) -> None:
    """Write report.html from the files of a run folder, and say where it is."""
    check_types(cfg, "report", {"embedding": Literal["pca", "tsne"]})
    figures = instantiate(cfg.report.figures, _convert_="all")
    Terminal().print(f"report: {write_report(cfg.run, cfg.embedding, figures)}", soft_wrap=True)
