"""Make the page of a run folder again: python -m spi_lightning.apps.report RUN [embedding=tsne]."""

import sys
from pathlib import Path
from typing import Literal

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.plain_words import quoted
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.console import Terminal
from spi_lightning.locations import CONF
from spi_lightning.reports import write_report


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="report")
def main(cfg: DictConfig) -> None:
    """Write report.html from the files of a run folder, and say where it is."""
    check_types(cfg, "report", {"embedding": Literal["pca", "tsne"]})
    figures = instantiate(cfg.report.figures, _convert_="all")
    Terminal().print(f"report: {write_report(cfg.run, cfg.embedding, figures)}", soft_wrap=True)


def name_the_run(arguments: list[str]) -> list[str]:
    """Command words with ``run=`` before the run folder, quoted where its name has special characters."""
    return [
        argument
        if not Path(argument).exists() and (argument.startswith("-") or "=" in argument)
        else f"run={quoted(argument)}"
        for argument in arguments
    ]


if __name__ == "__main__":
    sys.argv[1:] = name_the_run(sys.argv[1:])
    run_app(main)
