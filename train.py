"""Train: python train.py experiment=shi_tiny_cnn. Settings in conf/train.yaml; --help lists the choices."""

from spi_lightning import quiet_start

if __name__ == "__main__":
    quiet_start.begin()

# isort: split
from spi_lightning.apps.train import start

if __name__ == "__main__":
    start()
