"""The numbers of a phasing run in words, for its page."""

from collections.abc import Mapping
from typing import Any

from spi_lightning.reports.page import Table

_WORDS = {
    "starts": "starts",
    "kept": "starts that agree and make the mean",
    "fourier_error/best": "relative Fourier error of the best kept start",
    "fourier_error/lowest_of_all_starts": "relative Fourier error, the lowest of all starts, kept or not",
    "fourier_error/median": "relative Fourier error, median of all starts",
    "fourier_error/of_mean": "relative Fourier error of the mean of those kept, lower in amplitude where they differ",
    "fourier_error/of_counting": "relative Fourier error that photon noise explains",
    "held_out_pixels": "{element}s held out to judge by",
    "held_out_error/best": "relative Fourier error on them of the best kept start",
    "r_factor/best": "R-factor of the best kept start",
    "support/pixels": "support of the best kept start ({element}s)",
    "support/oversampling": "oversampling per axis that follows from it",
    "iterations": "iterations",
    "seconds": "time of the iterations (s)",
    "ms_per_iteration_and_start": "time per iteration and start (ms)",
    "polish_steps": "steps of the polish (L-BFGS) after the iterations",
    "polish_seconds": "time of the polish (s)",
    "point_spread/z": "blur by partial coherence along z, root mean square (pixels of the pattern)",
    "point_spread/y": "blur by partial coherence along y, root mean square (pixels of the pattern)",
    "point_spread/x": "blur by partial coherence along x, root mean square (pixels of the pattern)",
    "prtf/chance": "PRTF of as many unrelated starts",
    "prtf/crossing": "PRTF, less chance, falls below 1/e at q (1/{element})",
    "prtf/resolution_nm": "full period there (nm)",
    **{f"prtf/resolution_nm/{axis}": f"full period there along {axis} (nm)" for axis in "zyx"},
    "fsc_half_bit/crossing": "correlation of halves falls below half a bit at q (1/{element})",
    "fsc_half_bit/resolution_nm": "full period there, by the halves (nm)",
    **{f"fsc_half_bit/resolution_nm/{axis}": f"full period there along {axis}, by the halves (nm)" for axis in "zyx"},
    "laboratory/voxel_nm": "cubic voxel in the laboratory frame (nm)",
    "laboratory/volume_nm3": "volume of the crystal (nm³)",
    "laboratory/firm_share": "share of the crystal inside its surface and not weak, which the next three are of",
    "laboratory/displacement_rms_pm": "displacement along Q, root mean square (pm)",
    "laboratory/strain_rms": "strain along Q, root mean square",
    "laboratory/strain_p95": "strain along Q, 95 % of the voxels below (magnitude)",
    "truth/correlation": "overlap with the true density, 0 to 1",
    "truth/error": "relative error against the true density, at its best scale",
}


def numbers_table(metrics: Mapping[str, Any], element: str) -> Table:
    """Every number in words, with its unit, ``element`` being a pixel or a voxel; others keep their names."""
    words = {name: words.format(element=element) for name, words in _WORDS.items()}
    rows = [[words.get(name, name), _number(value)] for name, value in metrics.items() if _is_number(value)]
    return Table(["", "value"], rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
