"""Where particles lie: the map of orientations, the merged intensity, and patterns beside their slices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spi_lightning.physics.orientation import sphere_points, symmetry_group, viewing_directions
from spi_lightning.physics.rotation import rotation_matrices
from spi_lightning.reports.orientation_files import Examples, OrientationFiles
from spi_lightning.reports.page import Fold, Lines, Picture, Section, Table, write_page
from spi_lightning.reports.provenance import provenance_section
from spi_lightning.reports.style import INK, MASKED, METHOD_COLOURS, OTHER, as_png, as_svg, figure

Array = NDArray[np.float64]
_CELLS, _KERNEL = 4000, np.radians(8)
_LARGEST = 320  # area of the largest circle, point^2
_SAID = 4000  # characters of Dragonfly's log on the page


def write_orientation_report(run: Path) -> Path:
    """Make report.html of an orientation run from its orientation.h5 and metrics.json."""
    files = OrientationFiles.read(run)
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    sections = [
        Section("Orientations", [Lines([verdict(metrics)]), *_maps(files), _tests(metrics)]),
        *_recovery(files, metrics),
        Section("Merged intensity", [Picture(as_png(slices_figure(files)), "Central slices", _SLICES, wide=True)]),
        *_iterations(files),
        *_examples(files),
        Section("Notes", [Lines(files.notes or ["Nothing to note."]), *_log(run)]),
        provenance_section(run),
    ]
    return write_page(run / "report.html", "Orientations", "/".join(run.resolve().parts[-2:]), sections)


_SLICES = (
    "Photons per pixel in a pattern of mean fluence, on a logarithmic scale, in the planes through q = 0 normal to z, "
    "y and x of the reconstruction's frame. Grey: never measured."
)


def directions(files: OrientationFiles, symmetrise: bool = True) -> tuple[Array, Array, Array]:
    """Viewing directions (n, 3) ordered z, y, x, their P_r (n,) and weights (n,), in all equivalents if asked for."""
    direction = viewing_directions(torch.from_numpy(files.quaternion))
    if files.symmetry == "none" or not symmetrise:
        return direction.numpy(), files.probability, files.weight
    group = rotation_matrices(symmetry_group(files.symmetry))
    copies = torch.einsum("kij,rj->kri", group, direction).reshape(-1, 3).numpy()
    return copies, np.tile(files.probability / len(group), len(group)), np.tile(files.weight / len(group), len(group))


def circles_figure(files: OrientationFiles) -> Figure:
    """P_r on a Hammer-Aitoff map: a circle at the viewing direction of every orientation, its radius growing with P_r.

    Source: Shi et al. (2019), Fig. S4.
    """
    direction, probability, _ = directions(files)
    order = np.argsort(probability)
    order = order[probability[order] > 1e-3 * probability.max()]
    longitude, latitude = _angles(direction[order])
    value = probability[order]
    with figure(7.2, 3.5) as picture:
        axes = _hammer(picture)
        area = np.maximum(_LARGEST * min(1.0, 2000 / len(order)) * (value / value.max()) ** 2, 0.3)
        norm = mpl.colors.Normalize(0, value.max())
        points = axes.scatter(
            longitude, latitude, s=area, c=value, cmap="viridis_r", norm=norm, alpha=0.75, linewidths=0
        )
        bar = picture.colorbar(points, ax=axes, shrink=0.9, pad=0.03)
        assert bar.solids is not None
        bar.solids.set_alpha(1)
        bar.set_label(r"$P_r$, patterns per orientation")
    return picture


def density_figure(files: OrientationFiles) -> Figure:
    """Patterns per orientation over the sphere relative to an even distribution, smoothed by 8 degrees."""
    with figure(7.2, 3.5) as picture:
        _draw_density(picture, _hammer(picture), files)
    return picture


def draw_maps(sets: Mapping[str, OrientationFiles], path: Path) -> None:
    """Write a picture of the densities of several sets, one beside the other, each under its title."""
    with figure(6.6 * len(sets), 3.6) as picture:
        for place, (title, files) in enumerate(sets.items(), 1):
            axes = _hammer(picture, (1, len(sets), place))
            _draw_density(picture, axes, files)
            axes.set_title(title, pad=12)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.savefig(path, dpi=140)


def _draw_density(picture: Figure, axes: Axes, files: OrientationFiles) -> None:
    longitude, latitude = np.linspace(-np.pi, np.pi, 121), np.linspace(-np.pi / 2, np.pi / 2, 61)
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in (longitude, latitude)]
    x, y = np.meshgrid(*middle)
    seen = np.stack([np.sin(y), np.cos(y) * np.sin(x), np.cos(y) * np.cos(x)], axis=-1)
    ratio = smoothed_density(files, seen.reshape(-1, 3)).reshape(x.shape)
    norm = TwoSlopeNorm(1, 0, max(2.0, float(ratio.max())))
    mesh = axes.pcolormesh(longitude, latitude, ratio, norm=norm, cmap="RdBu_r", rasterized=True)
    bar = picture.colorbar(mesh, ax=axes, shrink=0.9, pad=0.03)
    bar.set_label("density over an even one")
    bar.set_ticks(_ticks(norm.vmax or 2.0))


def _ticks(top: float) -> list[float]:
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if (top - 1) / s < 5)
    return [0, 0.5, 1, *np.arange(1 + step, top + 1e-9, step).round(2)]


def smoothed_density(files: OrientationFiles, at: Array) -> Array:
    """Observed over expected probability in a Gaussian neighbourhood of some directions, (n, 3) -> (n,)."""
    direction, probability, weight = directions(files)
    cells = sphere_points(_CELLS).numpy()
    cell = cKDTree(cells).query(direction)[1]
    held = [np.bincount(cell, values, minlength=_CELLS) / values.sum() for values in (probability, weight)]
    kernel = np.exp((np.clip(at @ cells.T, -1, 1) - 1) / _KERNEL**2)
    observed, expected = (kernel @ values for values in held)
    return np.asarray(observed / np.maximum(expected, 1e-12 + 1e-3 * expected.max()))


def _angles(direction: Array) -> tuple[Array, Array]:
    z, y, x = direction.T
    return np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))


def _hammer(picture: Figure, place: tuple[int, int, int] = (1, 1, 1)) -> Axes:
    axes = picture.add_subplot(*place, projection="hammer")
    axes.grid(True, color="#c4cbd2", linewidth=0.6)
    axes.set_xticks(np.radians([-120, -60, 0, 60, 120]))
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    axes.tick_params(labelsize=9)
    for label in axes.get_xticklabels():
        label.set_bbox({"facecolor": "white", "alpha": 0.65, "edgecolor": "none", "pad": 0.6})
    return axes


def slices_figure(files: OrientationFiles) -> Figure:
    """Three central planes of the merged intensity on one logarithmic scale."""
    size = files.slices.shape[-1]
    known = bool(np.isfinite(files.voxel))
    step, unit = (files.voxel * 1e-9, "1/nm") if known else (1.0, "voxel")
    edge = (np.array([0, size]) - size // 2 - 0.5) * step
    seen = files.slices[files.slices > 0]
    top = float(seen.max()) if len(seen) else 1.0
    norm = LogNorm(max(float(np.quantile(seen, 0.02)) if len(seen) else 0.1, top * 1e-6), top, clip=True)
    with figure(11, 3.9) as picture:
        panels = picture.subplots(1, 3)
        for axes, plane, down, right in zip(panels, files.slices, "yzz", "xxy", strict=True):
            shown = np.where(plane > 0, plane, np.nan)
            image = axes.imshow(
                shown, norm=norm, cmap=_colours(), extent=(*edge, edge[1], edge[0]), interpolation="nearest"
            )
            axes.set(xlabel=f"$q_{right}$ ({unit})", ylabel=f"$q_{down}$ ({unit})")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.grid(False)
        picture.colorbar(image, ax=panels, shrink=0.85, pad=0.01, label="photons per pixel")
    return picture


def _colours() -> Colormap:
    return mpl.colormaps["inferno"].with_extremes(bad=MASKED)


def iterations_figures(files: OrientationFiles) -> list[Picture]:
    """Mutual information and log-likelihood after every iteration, with the exponent beta."""
    pictures = []
    for name, label, words in (
        ("mutual_information", "mutual information (nat)", "What a pattern tells of its orientation, per pattern."),
        ("log_likelihood", "log-likelihood per pattern", "Of the patterns, under the merged intensity."),
    ):
        with figure() as picture:
            axes = picture.subplots()
            axes.plot(files.log["iteration"], files.log[name], "o-", markersize=3.5, color=METHOD_COLOURS[0])
            axes.set(xlabel="iteration", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            beside = axes.twinx()
            beside.semilogy(files.log["iteration"], files.log["beta"], "-", color=METHOD_COLOURS[3], linewidth=1.2)
            beside.set_ylabel(r"annealing exponent $\beta$", color=METHOD_COLOURS[3])
            beside.grid(False)
        pictures.append(Picture(as_svg(picture), label[0].upper() + label[1:].partition(" (")[0], words))
    return pictures


def examples_figure(examples: Examples) -> Figure:
    """Patterns above, the best matching slices below, on one logarithmic scale. Source: Shi et al. (2019), Fig. S5."""
    count = len(examples.frame)
    used = examples.classes < 2
    norm = LogNorm(0.5, max(2.0, float(examples.photons.max())), clip=True)
    with figure(2.35 * count + 0.9, 5.1) as picture:
        panels = picture.subplots(2, count, squeeze=False)
        rows = (("pattern", examples.photons), ("slice", examples.expected))
        for line, (name, images) in zip(panels, rows, strict=True):
            for axes, values, frame, match in zip(line, images, examples.frame, examples.correlation, strict=True):
                shown = np.where(used, np.maximum(values, 0.5), np.nan)
                image = axes.imshow(shown, norm=norm, cmap=_colours(), interpolation="nearest")
                axes.set_title(
                    f"pattern {frame}" if name == "pattern" else f"slice, correlation {match:.2f}", fontsize=9
                )
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
                for side in axes.spines.values():
                    side.set_visible(False)
        picture.colorbar(image, ax=panels, shrink=0.8, pad=0.01, label="photons per pixel")
    return picture


def errors_figure(files: OrientationFiles, step: float) -> Figure:
    """Histogram of the angles between found and true orientations, with the sampling step, degrees."""
    assert files.error is not None
    error = np.degrees(files.error)
    with figure() as picture:
        axes = picture.subplots()
        axes.hist(error, bins=[*np.linspace(0, max(45.0, float(np.nanmax(error))), 46)], color=METHOD_COLOURS[0])
        for value, colour, name in ((float(np.nanmedian(error)), INK, "median"), (step, OTHER, "sampling step")):
            axes.axvline(value, color=colour, linewidth=1.5, label=f"{name} {value:.1f}°")
        axes.set(xlabel="angle from the true orientation (°)", ylabel="patterns", xlim=(0, None))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return picture


def _maps(files: OrientationFiles) -> list[Picture]:
    copies = " Every orientation is drawn in all its 60 equivalents." if files.symmetry == "icosahedral" else ""
    circles = (
        "Where the beam passed, seen from the particle (Hammer-Aitoff). Circles: total probability of every sampled "
        f"orientation, from the ten most probable of each pattern; their radius grows with it.{copies}"
    )
    density = (
        "The same, smoothed by 8° and divided by what an even distribution would give: red is preferred, blue shunned."
    )
    return [
        Picture(as_png(circles_figure(files)), "Orientation probabilities", circles),
        Picture(as_png(density_figure(files)), "Density of orientations", density),
    ]


def _tests(metrics: dict[str, Any]) -> Table:
    test = metrics["uniformity"]
    rows = [
        (name, f"{test[key]:.2f}", str(test[f"{key}_freedom"]), p_text(test[f"{key}_p"]))
        for name, key in (("lowest harmonics", "harmonics"), ("chi-square over equal parts", "chi_square"))
    ]
    rows.append(("both (Bonferroni)", "", "", p_text(test["p_value"])))
    words = (
        f"Compared with {_expected(metrics)}. Harmonics: score test of the lowest spherical harmonics that the "
        "symmetry leaves (none: degrees 1 and 2, the tests of Rayleigh and Bingham; icosahedral: the invariants of "
        "degrees 6, 10, 12)."
    )
    return Table(("test of evenness", "statistic", "degrees of freedom", "p"), rows, words)


def p_text(p: float) -> str:
    """A p-value as people write it."""
    return "< 1e-16" if p < 1e-16 else f"{p:.3f}" if p >= 1e-3 else f"{p:.1e}"


def _expected(metrics: dict[str, Any]) -> str:
    """What the observed orientations are compared with, in words."""
    if metrics.get("controlled"):
        return "an even set that went through the same reconstruction (control), whose own scatter is counted in"
    return "the weights of the sampled orientations; a reconstruction's own bias counts as unevenness (see control)"


def verdict(metrics: dict[str, Any], level: float = 0.01) -> str:
    """The test of uniformity in a sentence."""
    test = metrics["uniformity"]
    what = "not even" if test["p_value"] < level else "not distinguishable from even"
    of = f"{metrics['patterns']:,} patterns, symmetry {metrics['symmetry']}"
    of += ", against an even control" if metrics.get("controlled") else ""
    p = f"p {'' if test['p_value'] < 1e-16 else '= '}{p_text(test['p_value'])}"
    return (
        f"Orientations are {what}: {p} ({of}); beyond "
        f"counting noise their density varies by {100 * test['variation']:.0f} % over the sphere."
    )


def _recovery(files: OrientationFiles, metrics: dict[str, Any]) -> list[Section]:
    if files.error is None:
        return []
    told = metrics["recovery"]
    rows = [
        ("median error", f"{told['median_error_deg']:.2f}°"),
        ("the same, half turns about the beam counted as errors", f"{told['median_error_exact_deg']:.2f}°"),
        ("90 % of patterns below", f"{told['error_90_deg']:.2f}°"),
        ("sampling step", f"{metrics['sampling_step_deg']:.2f}°"),
    ]
    words = (
        f"Up to the particle's symmetry ({files.symmetry}) and one rotation of the whole. On a flat Ewald sphere a "
        "pattern and itself turned by half a turn are one by Friedel's law, so such turns do not count."
    )
    picture = Picture(as_svg(errors_figure(files, metrics["sampling_step_deg"])), "Errors of orientation", words)
    return [Section("Recovery of known orientations", [picture, Table(("", "angle"), rows)])]


def _iterations(files: OrientationFiles) -> list[Section]:
    if len(files.log.get("iteration", [])) == 0:
        return []
    return [Section("Iterations", iterations_figures(files))]


def _examples(files: OrientationFiles) -> list[Section]:
    if files.examples is None:
        return []
    words = "Patterns from faint to bright above, the slices at their most probable orientations below. Grey: not used."
    picture = Picture(as_png(examples_figure(files.examples)), "Patterns and best matching slices", words, wide=True)
    return [Section("Patterns", [picture])]


def _log(run: Path) -> list[Fold]:
    path = run / "dragonfly.log"
    if not path.is_file():
        return []
    return [Fold("What Dragonfly printed, the end of it", path.read_text(encoding="utf-8", errors="replace")[-_SAID:])]
