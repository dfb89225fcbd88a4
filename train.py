"""Train, as ``spi train`` does: python train.py experiment=shi_tiny_cnn; --help lists the choices."""

from spi_lightning.apps.spi import run

if __name__ == "__main__":
    run("train")
