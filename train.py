"""Train: python train.py experiment=shi_tiny_cnn. Settings in conf/train.yaml; --help lists the choices."""

from spi_lightning import quiet_start

if __name__ == "__main__":
    quiet_start.begin()

# isort: split
import hydra
from omegaconf import DictConfig

from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.train import train


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    """Train as configured; the objective is returned to a sweep."""
    return train(cfg)


if __name__ == "__main__":
    run_app(main)
