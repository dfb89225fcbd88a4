"""Full-period resolutions along each axis of a density, whose pixels need not be cubic."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

_EQUAL: Final = 0.01  # relative difference of edges below which they are one length


def alike(edges: ArrayLike) -> bool:
    """Whether the edges of a pixel are equal within 1 %, so that shells of cycles per pixel are of one |q|."""
    lengths = np.asarray(edges, dtype=np.float64)
    return bool(np.ptp(lengths) <= _EQUAL * lengths.mean())


def common_edge(edges: ArrayLike, known: bool = True) -> float:
    """Common edge (m) of a pixel, to convert cycles per pixel to 1/m; 1 where edges differ or are unknown."""
    return float(np.mean(np.asarray(edges, dtype=np.float64))) if known and alike(edges) else 1.0


def resolutions(name: str, frequency: float, edges: ArrayLike) -> dict[str, float]:
    """Full periods in nm at a frequency (cycles per pixel), as entries ``name/resolution_nm`` of metrics.json.

    Along an axis it is the pixel's edge there (m) over the frequency: one number where all edges are alike, else one
    for each axis, as ``name/resolution_nm/z``, ``/y`` and ``/x``.
    """
    lengths = np.asarray(edges, dtype=np.float64)
    periods = {axis: 1e9 * float(edge) / frequency for axis, edge in zip("zyx"[-lengths.size :], lengths, strict=True)}
    if alike(edges):
        return {f"{name}/resolution_nm": float(np.mean(list(periods.values())))}
    return {f"{name}/resolution_nm/{axis}": period for axis, period in periods.items()}


def in_words(numbers: dict[str, float | None], name: str) -> str:
    """Text of the resolution of a curve, nm, from the numbers of metrics.json; empty where there is none."""
    if (single := numbers.get(f"{name}/resolution_nm")) is not None:
        return f"{single:.3g} nm (full period)"
    along = [axis for axis in "zyx" if numbers.get(f"{name}/resolution_nm/{axis}") is not None]
    if not along:
        return ""
    periods = " x ".join(f"{numbers[f'{name}/resolution_nm/{axis}']:.3g}" for axis in along)
    return f"a resolution of {periods} nm along {', '.join(along)} (full period)"
