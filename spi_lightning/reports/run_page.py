"""The page of a run folder of any kind, made again from its files."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from spi_lightning.io.reading import reading
from spi_lightning.reports.densities.page import write_densities_report
from spi_lightning.reports.further import MakeFigure
from spi_lightning.reports.hits.page import write_evaluation_report
from spi_lightning.reports.orientation.page import write_orientation_report
from spi_lightning.reports.phasing.page import write_phasing_report
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results import result_file
from spi_lightning.results.densities import DENSITIES_FILE
from spi_lightning.results.hits import HITS_FILE
from spi_lightning.results.orientation import ORIENTATION_FILE
from spi_lightning.results.phasing import PHASING_FILE
from spi_lightning.results.supports import SUPPORTS_FILE
from spi_lightning.results.training import LOG
from spi_lightning.results.volumes import VOLUMES_FILE

from .training import write_training_report

_OTHER_CONTENT = (KeyError, TypeError, AttributeError, IndexError)  # of files that another program or a hand wrote

PAGES: Final[Mapping[str, Callable[[Path, Mapping[str, MakeFigure] | None], Path]]] = {
    HITS_FILE: write_evaluation_report,
    SUPPORTS_FILE: write_supports_report,
    VOLUMES_FILE: write_volumes_report,
    PHASING_FILE: write_phasing_report,
    ORIENTATION_FILE: write_orientation_report,
    DENSITIES_FILE: write_densities_report,
    LOG: write_training_report,
}
"""File that determines the kind of a run, as in results.KINDS -> function that writes the page of such a run."""


def write_report(run: Path | str, embedding: str = "pca", figures: Mapping[str, MakeFigure] | None = None) -> Path:
    """Write report.html of a run folder of any command.

    Args:
        run: Run folder of a training, an evaluation, a phasing, an orientation run or a comparison of densities.
        embedding: Method of the map of the frames' features, ``pca`` or ``tsne``; of evaluations of hits.
        figures: Further figures by title, see reports.further.

    Raises:
        UserError: There is no such folder, it holds no result, or its files are of another program or damaged.
    """
    run, name = Path(run), result_file(run)
    page = partial(write_evaluation_report, embedding=embedding) if name == HITS_FILE else PAGES[name]
    with reading(run, "the folder of a run", also=_OTHER_CONTENT):
        return page(run, figures)
