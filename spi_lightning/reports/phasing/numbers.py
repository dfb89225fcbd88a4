"""Table of the numbers of a phasing run with their names in words."""

from collections.abc import Mapping
from typing import Any

from spi_lightning.reports.page import Table

_WORDS = {
    "starts": "starts",
    "kept": "kept starts (they agree and make the mean)",
    "fourier_error/best": "relative Fourier error of the best kept start",
    "fourier_error/lowest_of_all_starts": "lowest relative Fourier error of all starts, kept or not",
    "fourier_error/median": "median relative Fourier error of all starts",
    "fourier_error/of_mean": "relative Fourier error of the mean of the kept starts",
    "fourier_error/of_counting": "relative Fourier error of photon noise alone",
    "held_out_pixels": "held-out {element}s",
    "held_out_error/best": "relative Fourier error of the best kept start on held-out {element}s",
    "r_factor/best": "R-factor of the best kept start",
    "support/pixels": "support of the best kept start ({element}s)",
    "support/oversampling": "oversampling per axis",
    "iterations": "iterations",
    "seconds": "time of the iterations (s)",
    "ms_per_iteration_and_start": "time per iteration and start (ms)",
    "polish_steps": "steps of the polish (L-BFGS) after the iterations",
    "polish_seconds": "time of the polish (s)",
    "point_spread/z": "blur by partial coherence along z, root mean square (pixels of the pattern)",
    "point_spread/y": "blur by partial coherence along y, root mean square (pixels of the pattern)",
    "point_spread/x": "blur by partial coherence along x, root mean square (pixels of the pattern)",
    "prtf/chance": "PRTF of as many unrelated starts",
    "prtf/crossing": "q at which the PRTF, less chance, falls below 1/e (1/{element})",
    "prtf/resolution_nm": "resolution by the PRTF, full period (nm)",
    **{f"prtf/resolution_nm/{axis}": f"resolution by the PRTF along {axis} (nm)" for axis in "zyx"},
    "fsc_half_bit/crossing": "q at which the correlation of two halves falls below half a bit (1/{element})",
    "fsc_half_bit/resolution_nm": "resolution by two halves, full period (nm)",
    **{f"fsc_half_bit/resolution_nm/{axis}": f"resolution by two halves along {axis} (nm)" for axis in "zyx"},
    "laboratory/voxel_nm": "cubic voxel in the laboratory frame (nm)",
    "laboratory/volume_nm3": "volume of the crystal (nm³)",
    "laboratory/firm_share": "share of the crystal inside its surface and not weak, base of the next three",
    "laboratory/displacement_rms_pm": "displacement along Q, root mean square (pm)",
    "laboratory/strain_rms": "strain along Q, root mean square",
    "laboratory/strain_p95": "magnitude of the strain along Q, 95th percentile",
    "truth/correlation": "overlap with the true density, 0 to 1",
    "truth/error": "relative error against the true density, at its best scale",
}


def numbers_table(metrics: Mapping[str, Any], element: str) -> Table:
    """Table of all numbers of a run, with names in words where there are any.

    Args:
        metrics: Numbers of metrics.json by name; entries that are no numbers are left out.
        element: Word for an element, ``pixel`` or ``voxel``.
    """
    words = {name: words.format(element=element) for name, words in _WORDS.items()}
    rows = [[words.get(name, name), _number(value)] for name, value in metrics.items() if _is_number(value)]
    return Table(["", "value"], rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
