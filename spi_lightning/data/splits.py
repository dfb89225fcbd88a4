"""Splits into training, validation and test patterns without common particles."""

from collections.abc import Mapping

import numpy as np

from spi_lightning.errors import UserError


def split_by_particle(
    particle_id: np.ndarray,
    fractions: Mapping[str, float],
    seed: int,
    stratum: np.ndarray | None = None,
    names: tuple[str, str, str] = ("data.fractions", "patterns", "particles"),
) -> dict[str, np.ndarray]:
    """Split patterns by whole particles (models, runs), so that each split holds about its fraction of them.

    Args:
        particle_id: (N,) int64; patterns with the same number stay together.
        fractions: Share of the patterns per split, adding up to 1.
        seed: Seed of the assignment.
        stratum: (N,) stratum of each pattern, e.g. its label, split in these fractions by itself, so that small sets
            keep their mixture. A particle belongs to the stratum of its first pattern.
        names: Names of the option, of patterns and of particles, for the errors.

    Returns:
        Sorted indices (n,) int64 per split; a split of fraction 0 is empty.

    Raises:
        UserError: The fractions do not add up to 1, or no particle falls into a split.
    """
    option, items, wholes = names
    if abs(sum(fractions.values()) - 1) > 1e-6 or min(fractions.values()) < 0:
        raise UserError(f"{option}={dict(fractions)} must not be negative and must add up to 1")
    particles, first, inverse = np.unique(particle_id, return_index=True, return_inverse=True)
    patterns = np.bincount(inverse, minlength=len(particles))
    kind = np.zeros(len(particles), int) if stratum is None else np.asarray(stratum)[first]
    owner = np.empty(len(particles), dtype=np.int64)
    shares = np.array(list(fractions.values()))
    for value in np.unique(kind):
        members = np.random.default_rng(seed).permutation(np.flatnonzero(kind == value))
        owner[members] = _deal(patterns[members], shares)
    splits = {name: np.flatnonzero(owner[inverse] == number) for number, name in enumerate(fractions)}
    empty = [name for name, share in fractions.items() if share > 0 and len(splits[name]) == 0]
    if empty:
        raise UserError(
            f"{option}={dict(fractions)} leaves the split {empty[0]!r} without {items}: "
            f"{len(particle_id)} {items} of {len(particles)} {wholes} are too few"
        )
    return splits


def _deal(patterns: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Assign each particle in turn to the split furthest below its share: (P,) patterns -> (P,) split."""
    held, owner = np.zeros(len(shares)), np.empty(len(patterns), dtype=np.int64)
    for number, count in enumerate(patterns):
        behind = shares * (held.sum() + count) - held
        owner[number] = int(np.argmax(np.where(shares > 0, behind, -np.inf)))
        held[owner[number]] += count
    return owner
