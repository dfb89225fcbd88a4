"""Evaluate: python evaluate.py method=[NAME,RUN] data.path=FILE. Settings in conf/evaluate.yaml; --help lists them."""

import sys

from spi_lightning import quiet_start

if __name__ == "__main__":
    quiet_start.begin()

# isort: split
import hydra
from omegaconf import DictConfig

from spi_lightning.apps.configuration.choose_methods import as_plain_list
from spi_lightning.apps.evaluate import evaluate
from spi_lightning.apps.process.entry import run_app


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Answer a file of patterns with one or several methods and report."""
    evaluate(cfg)


if __name__ == "__main__":
    sys.argv[1:] = as_plain_list(sys.argv[1:])
    run_app(main)
