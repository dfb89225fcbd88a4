"""Pages, figures and tables of a run, made from the files of its folder.

Nothing here runs a network or a method, so a page can be made again at any time.
"""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.reports.densities.page import write_densities_report
    from spi_lightning.reports.hits.choice import CONTRADICTED, DISPUTED, choose_disputed, choose_frames
    from spi_lightning.reports.hits.embedding import require_embedding
    from spi_lightning.reports.hits.gallery import collect_gallery
    from spi_lightning.reports.hits.page import write_evaluation_report
    from spi_lightning.reports.orientation.page import write_orientation_report
    from spi_lightning.reports.phasing.page import write_phasing_report
    from spi_lightning.reports.supports.page import write_supports_report
    from spi_lightning.reports.volumes.page import write_volumes_report

    from .run_page import PAGES, write_report
    from .training import write_training_figures, write_training_report

__all__ = [
    "CONTRADICTED",
    "DISPUTED",
    "PAGES",
    "choose_disputed",
    "choose_frames",
    "collect_gallery",
    "require_embedding",
    "write_densities_report",
    "write_evaluation_report",
    "write_orientation_report",
    "write_phasing_report",
    "write_report",
    "write_supports_report",
    "write_training_figures",
    "write_training_report",
    "write_volumes_report",
]

__getattr__ = lazily(__name__)
