"""Pages, figures and tables of a run, made from the files of its folder.

Nothing here runs a network or a method, so a page can be made again at any time.
"""

from collections.abc import Mapping
from pathlib import Path

from spi_lightning.errors import UserError
from spi_lightning.io.reading import reading
from spi_lightning.reports.further import MakeFigure
from spi_lightning.reports.hits.choice import DISPUTED, choose_disputed, choose_frames
from spi_lightning.reports.hits.embedding import require_embedding
from spi_lightning.reports.hits.gallery import collect_gallery
from spi_lightning.reports.hits.page import write_evaluation_report
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results.hits import HITS_FILE
from spi_lightning.results.supports import SUPPORTS_FILE
from spi_lightning.results.volumes import VOLUMES_FILE

from .training import write_training_figures, write_training_report

__all__ = [
    "DISPUTED",
    "choose_disputed",
    "choose_frames",
    "collect_gallery",
    "require_embedding",
    "write_evaluation_report",
    "write_report",
    "write_supports_report",
    "write_training_figures",
    "write_training_report",
    "write_volumes_report",
]

_OTHER_CONTENT = (KeyError, TypeError, AttributeError, IndexError)  # of files that another program or a hand wrote


def write_report(run: Path | str, embedding: str = "pca", figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a run folder of any command.

    Args:
        run: Run folder of an evaluation or a training.
        embedding: Method of the map of the frames' features, ``pca`` or ``tsne``.
        figures: Further figures by title, see reports.further.

    Raises:
        UserError: There is no such folder, it holds neither an evaluation nor a training, or its files are of another
            program or damaged.
    """
    run = Path(run)
    if not run.is_dir():
        raise UserError(f"{run}: no such run folder.")
    with reading(run, "the folder of a run", also=_OTHER_CONTENT):
        if (run / SUPPORTS_FILE).is_file():
            return write_supports_report(run, figures)
        if (run / VOLUMES_FILE).is_file():
            return write_volumes_report(run, figures)
        if (run / HITS_FILE).is_file():
            return write_evaluation_report(run, embedding, figures)
        if (run / "metrics.csv").is_file():
            return write_training_report(run)
    raise UserError(f"{run}: holds neither {HITS_FILE} of evaluate.py nor metrics.csv of train.py.")
