"""The command ``spi label``: frames labelled by keys on a local page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from omegaconf import DictConfig

from spi_lightning.apps.configuration.choose_methods import make_methods
from spi_lightning.apps.configuration.evaluated_data import open_frames
from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.apps.evaluate import TYPES as EVALUATE
from spi_lightning.console import Terminal
from spi_lightning.errors import whole_number
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.console_table import print_note
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.labelling import LabelFile, LabelServer, LabelSession, TeachingOrder
from spi_lightning.labelling.opening import frames_named, serve
from spi_lightning.labelling.teaching_order import teaching_order
from spi_lightning.tasks.registry import trust

TYPES: Final = {
    **{key: kind for key, kind in EVALUATE.items() if key in ("methods", "checkpoint", "cache", "views")},
    **{key: kind for key, kind in EVALUATE.items() if key.startswith("preprocess.")},
    "labels": TEXT,
    "only": NAMES | Sequence[int] | None,
    "order": Literal["teaching", "file"],
}


def label(cfg: DictConfig) -> None:
    """Serve the page until Ctrl-C.

    Args:
        cfg: conf/label.yaml with what was laid over it.

    Raises:
        UserError: A mistake in settings or files, or a port that cannot be used.
    """
    check_types(cfg, "label", TYPES)
    port, candidates = whole_number("port", cfg.port, 0), whole_number("candidates", cfg.candidates, 1)
    trust(cfg.trust)
    patterns = open_frames(cfg.data, "hits")
    path = Path(cfg.labels or f"{Path(patterns.path).stem}.labels.txt")
    labels = LabelFile(path, patterns.path.name, len(patterns), patterns.labels.get(IS_SINGLE_HIT))
    only = None if cfg.only is None else frames_named(cfg.only, patterns)
    if cfg.order == "file" or only is not None:
        order = TeachingOrder.in_turn(len(patterns))
    else:
        method, *_ = make_methods(cfg, "hits")
        order = teaching_order(patterns, method, candidates, Cache.named(cfg.cache), print_note)
    with LabelServer(LabelSession(patterns, labels, order, only), port) as server:
        serve(server, bool(cfg.open))
    for line in filter(None, (server.session.summary(), server.session.next_step())):
        Terminal().print(line, soft_wrap=True)
