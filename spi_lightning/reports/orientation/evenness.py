"""Tests of the evenness of orientations: a table, and the result in a sentence."""

from __future__ import annotations

from typing import Any

from spi_lightning.reports.page import Table


def verdict(metrics: dict[str, Any], level: float = 0.01) -> str:
    """Result of the test of uniformity in a sentence.

    Args:
        metrics: Numbers of the run, as in metrics.json.
        level: p-value below which orientations are called not even.
    """
    test = metrics["uniformity"]
    what = "not even" if test["p_value"] < level else "not distinguishable from even"
    of = f"{metrics['patterns']:,} patterns, symmetry {metrics['symmetry']}"
    of += ", against an even control" if metrics.get("controlled") else ""
    p = f"p {'' if test['p_value'] < 1e-16 else '= '}{p_text(test['p_value'])}"
    return (
        f"Orientations are {what}: {p} ({of}); beyond "
        f"counting noise their density varies by {100 * test['variation']:.0f} % over the sphere."
    )


def tests_table(metrics: dict[str, Any]) -> Table:
    """Table of statistic, degrees of freedom and p-value of each test, and p of both together."""
    test = metrics["uniformity"]
    rows = [
        (name, f"{test[key]:.2f}", str(test[f"{key}_freedom"]), p_text(test[f"{key}_p"]))
        for name, key in (("lowest harmonics", "harmonics"), ("chi-square over equal parts", "chi_square"))
    ]
    rows.append(("both (Bonferroni)", "", "", p_text(test["p_value"])))
    words = (
        f"Compared with {_expected(metrics)}. Harmonics: score test of the lowest spherical harmonics that the "
        "symmetry allows (no symmetry: degrees 1 and 2, the tests of Rayleigh and Bingham; icosahedral: the invariants "
        "of degrees 6, 10, 12)."
    )
    return Table(("test of evenness", "statistic", "degrees of freedom", "p"), rows, words)


def _expected(metrics: dict[str, Any]) -> str:
    """Reference of the tests in words."""
    if metrics.get("controlled"):
        return "an even set from the same reconstruction (control), whose own scatter is included"
    return "the weights of the sampled orientations; a reconstruction's own bias counts as unevenness (see control)"


def p_text(p: float) -> str:
    """p-value as text, below 1e-16 as an inequality."""
    return "< 1e-16" if p < 1e-16 else f"{p:.3f}" if p >= 1e-3 else f"{p:.1e}"
