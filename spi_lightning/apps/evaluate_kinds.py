"""What is asked of a file, single hits or supports, and which methods can answer that."""

from functools import cache
from pathlib import Path

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from spi_lightning.data.supports import SupportBatches
from spi_lightning.fields import UserError

METHODS = Path(__file__).parents[2] / "conf" / "method"
ANSWERS = {"hits": "answer", "supports": "answer_supports"}  # kind -> what its methods are asked


def kind_of_data(data: DictConfig) -> str:
    """``supports`` for data modules of densities and supports, else ``hits``."""
    return "supports" if issubclass(get_class(data._target_), SupportBatches) else "hits"


@cache
def kind_of_method(name: str) -> str:
    """Which kind conf/method/NAME.yaml answers."""
    method = get_class(OmegaConf.load(METHODS / f"{name}.yaml")._target_)
    return next(kind for kind, answer in ANSWERS.items() if hasattr(method, answer))


def names_of(kind: str) -> list[str]:
    """Names in conf/method/ that answer this kind, sorted."""
    return [name for name in sorted(path.stem for path in METHODS.glob("*.yaml")) if kind_of_method(name) == kind]


def require_kind(entry: str, kind: str) -> None:
    """UserError if the entry is the name of a method that answers another kind; runs are judged when they are read."""
    if (METHODS / f"{entry}.yaml").is_file() and kind_of_method(entry) != kind:
        raise UserError(
            f"method={entry} answers {kind_of_method(entry)}, and this data asks for {kind}; methods of {kind}: "
            f"{', '.join(names_of(kind))}, or a run trained on {kind}."
        )
