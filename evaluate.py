"""Evaluate: python evaluate.py checkpoint=RUN data.path=FILE. Settings in conf/evaluate.yaml; --help lists choices."""

import hydra
from omegaconf import DictConfig

from spi_lightning.apps.entry import run_app
from spi_lightning.apps.evaluate import evaluate


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Answer a file of patterns with one or several methods and report."""
    evaluate(cfg)


if __name__ == "__main__":
    run_app(main)
