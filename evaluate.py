"""Evaluate: python evaluate.py method=[NAME,RUN] data.path=FILE. Settings in conf/evaluate.yaml; --help lists them."""

from spi_lightning import quiet_start

if __name__ == "__main__":
    quiet_start.begin()

# isort: split
from spi_lightning.apps.evaluate import main
from spi_lightning.apps.process.entry import run_app

if __name__ == "__main__":
    run_app(main)
