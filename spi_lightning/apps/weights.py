"""The command ``spi weights``: the networks that come with the package, and the model card of one."""

from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import TEXT, check_types
from spi_lightning.weights import read_card, shipped_names
from spi_lightning.weights.listing import print_card, print_weights


def weights(cfg: DictConfig) -> None:
    """Print the list of shipped weights, or one card.

    Args:
        cfg: conf/weights.yaml with what was laid over it.

    Raises:
        UserError: There are no weights of that name, or their file is not the one of the card.
    """
    check_types(cfg, "weights", {"name": TEXT})
    if cfg.name is None:
        print_weights([read_card(name) for name in shipped_names()])
        return
    card = read_card(cfg.name)
    card.require_whole()
    print_card(card)
