"""Train: python train.py experiment=shi_tiny_cnn. Settings in conf/train.yaml; --help lists the choices."""

from spi_lightning import quiet_start

if __name__ == "__main__":
    quiet_start.begin()

# isort: split
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.train import main

if __name__ == "__main__":
    run_app(main)
