"""Rotations as unit quaternions w, x, y, z and matrices, and orientations up to symmetry: distance and alignment.

An orientation is a unit quaternion w, x, y, z that turns the body into the laboratory, as in fields.ORIENTATION and in
Dragonfly. Turning the body first by one of its own symmetries S gives the same pattern: q and q S are one orientation.
Where the Ewald sphere is flat, Friedel's law makes q and C q one too, with C half a turn about the beam.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from math import pi, sqrt
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError


def random_quaternions(count: int, generator: torch.Generator) -> Tensor:
    """Orientations uniform over all rotations (normalised Gaussian vectors): (count, 4), float32, w >= 0."""
    quaternion = torch.randn(count, 4, generator=generator, device=generator.device)
    quaternion = quaternion / quaternion.norm(dim=1, keepdim=True)
    return torch.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def rotation_matrices(quaternion: Tensor) -> Tensor:
    """Rotation matrices of unit quaternions, (..., 4) -> (..., 3, 3), acting on columns ordered z, y, x."""
    w, x, y, z = quaternion.unbind(-1)
    rows = [
        [1 - 2 * (x * x + y * y), 2 * (y * z + x * w), 2 * (x * z - y * w)],
        [2 * (y * z - x * w), 1 - 2 * (x * x + z * z), 2 * (x * y + z * w)],
        [2 * (x * z + y * w), 2 * (x * y - z * w), 1 - 2 * (y * y + z * z)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def multiply_quaternions(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton product of quaternions, (..., 4) each: the rotation ``right`` followed by ``left``."""
    w1, x1, y1, z1 = left.unbind(-1)
    w2, x2, y2, z2 = right.unbind(-1)
    return torch.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        dim=-1,
    )


SYMMETRIES: Final = ("none", "icosahedral")
"""Symmetries of which equivalent orientations may count as one."""
POINT_GROUPS: Final = (*SYMMETRIES, "octahedral")
_SEEDS, _JUDGES, _ROUNDS = 64, 256, 30
_EVEN: Final = [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2), (1, 0, 3, 2), (1, 2, 0, 3), (1, 3, 2, 0)]
_EVEN_TOO: Final = [(2, 0, 1, 3), (2, 1, 3, 0), (2, 3, 0, 1), (3, 0, 2, 1), (3, 1, 0, 2), (3, 2, 1, 0)]


@cache
def symmetry_group(symmetry: str) -> Tensor:
    """Rotations that leave a body unchanged, (K, 4) float64 quaternions, the identity first.

    "icosahedral" is the group of simulate.particles.polyhedra and of Dragonfly's point group A5: 60 rotations with
    twofold axes along x, y and z and fivefold axes along (golden, 1, 0), (1, 0, golden) and (0, golden, 1) in x, y, z.

    "octahedral" is that of the cube, Dragonfly's S4: 24 rotations with fourfold axes along x, y and z.

    Raises:
        UserError: The symmetry is unknown.

    Source: the icosians, Conway & Sloane, Sphere Packings, Lattices and Groups, Sect. 8.2.1; one of each pair q, -q.
    """
    if symmetry not in POINT_GROUPS:
        raise UserError(f"symmetry={symmetry} is unknown; choose one of {', '.join(POINT_GROUPS)}")
    identity = [(1.0, 0.0, 0.0, 0.0)]
    if symmetry == "none":
        return torch.tensor(identity, dtype=torch.float64)
    golden = (1 + sqrt(5)) / 2
    turns = [tuple(float(i == axis) for i in range(4)) for axis in (1, 2, 3)]
    turns += [(0.5, *(s / 2 for s in signs)) for signs in product((1, -1), repeat=3)]
    if symmetry == "octahedral":
        for axes in combinations(range(4), 2):
            for signs in product((1, -1), repeat=2):
                turns.append(tuple(signs[axes.index(i)] / sqrt(2) if i in axes else 0.0 for i in range(4)))
    else:
        for a, b, c in product((1, -1), repeat=3):
            values = (a * golden / 2, b / 2, c / golden / 2, 0.0)
            turns += [tuple(values[i] for i in order) for order in (*_EVEN, *_EVEN_TOO)]
    return torch.tensor(identity + [turn for turn in turns if _leads(turn)], dtype=torch.float64)


def _leads(quaternion: tuple[float, ...]) -> bool:
    """Whether the first nonzero component is positive, which is true of one of q and -q."""
    return next(value for value in quaternion if value != 0) > 0


def conjugate(quaternion: Tensor) -> Tensor:
    """The opposite rotation, (..., 4) -> (..., 4)."""
    return quaternion * quaternion.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotation_angle(left: Tensor, right: Tensor) -> Tensor:
    """Angle of the rotation between two orientations, (..., 4) each -> (...); rad, 0 to pi."""
    chord = torch.minimum((left - right).norm(dim=-1), (left + right).norm(dim=-1))
    return 4 * torch.asin((chord / 2).clamp_max(1.0))


def equivalents(quaternion: Tensor, symmetry: str = "none", friedel: bool = False) -> Tensor:
    """All orientations equivalent to (N, 4) orientations: they give the same pattern.

    Args:
        quaternion: (N, 4) unit quaternions.
        symmetry: Symmetry of the body, see symmetry_group.
        friedel: Also orientations rotated by pi about the beam, equivalent on a flat Ewald sphere.

    Returns:
        (N, K, 4), or (N, 2 K, 4) with ``friedel``.
    """
    group = symmetry_group(symmetry).to(quaternion)
    turned = multiply_quaternions(quaternion[:, None], group)
    if not friedel:
        return turned
    half_turn = quaternion.new_tensor([0.0, 0.0, 0.0, 1.0])
    return torch.cat([turned, multiply_quaternions(half_turn.expand_as(turned), turned)], dim=1)


def _nearest(quaternion: Tensor, choices: Tensor) -> Tensor:
    """Of (N, K, 4) choices the one nearest each of (N, 4) quaternions."""
    best = (choices @ quaternion[:, :, None])[..., 0].abs().argmax(dim=1)
    return choices[torch.arange(len(quaternion), device=quaternion.device), best]


def mean_rotation(quaternion: Tensor) -> Tensor:
    """Rotation of largest mean squared overlap with all, (N, 4) -> (4,). Source: Markley et al. (2007), Eq. 13."""
    vectors: Tensor = torch.linalg.eigh(quaternion.T @ quaternion).eigenvectors
    return vectors[:, -1]


@dataclass(frozen=True)
class Alignment:
    """Alignment of found orientations with true ones.

    Attributes:
        rotation: (4,) quaternion G that turns the frame of the found body into that of the true one.
        error: (N,) angle left between each found orientation times G^-1 and the true one; rad.
    """

    rotation: Tensor
    error: Tensor


def align_orientations(found: Tensor, true: Tensor, symmetry: str = "none", friedel: bool = False) -> Alignment:
    """Global rotation that brings found orientations nearest to true ones, up to symmetry.

    A merged body lies in a frame of its own: found_i = C_i true_i S_i G with one G for all. Every pattern proposes a G
    (one each C; S changes nothing); the proposal with the least median error is refined as the mean rotation of the
    patterns it suits, so that patterns whose orientation was missed do not matter.

    Args:
        found, true: (N, 4) float64 unit quaternions, body to laboratory.
        symmetry, friedel: Equivalent orientations, see equivalents.
    """
    choices = equivalents(true, symmetry, friedel)
    judges = torch.linspace(0, len(found) - 1, min(len(found), _JUDGES)).round().long()
    seeds = judges[torch.linspace(0, len(judges) - 1, min(len(judges), _SEEDS)).round().long()]
    proposals = multiply_quaternions(conjugate(equivalents(true[seeds], "none", friedel)), found[seeds, None])
    medians = [_errors(found[judges], choices[judges], each).median() for each in proposals.flatten(0, 1)]
    rotation = proposals.flatten(0, 1)[int(torch.stack(medians).argmin())]
    for _ in range(_ROUNDS):
        error = _errors(found, choices, rotation)
        near = error <= 2 * error.median() + 1e-12
        there = multiply_quaternions(found[near], conjugate(rotation).expand(int(near.sum()), 4))
        nearest = _nearest(there, choices[near])
        better = mean_rotation(multiply_quaternions(conjugate(nearest), found[near]))
        moved, rotation = rotation_angle(better, rotation), better
        if moved < 1e-9:
            break
    return Alignment(rotation, _errors(found, choices, rotation))


def _errors(found: Tensor, choices: Tensor, rotation: Tensor) -> Tensor:
    turned = multiply_quaternions(found, conjugate(rotation).expand_as(found))
    return rotation_angle(turned, _nearest(turned, choices))


def sampling_step(quaternion: Tensor, most: int = 2048, at_once: int = 256) -> float:
    """Median angle between (R, 4) orientations, ``most`` of them evenly taken, and the nearest other one; rad."""
    chosen = torch.linspace(0, len(quaternion) - 1, min(len(quaternion), most)).round().long()
    nearest = []
    for rows in torch.split(chosen, at_once):
        overlap = (quaternion[rows] @ quaternion.T).abs()
        overlap[torch.arange(len(rows)), rows] = -1.0
        nearest.append(rotation_angle(quaternion[rows], quaternion[overlap.argmax(dim=1)]))
    return float(torch.cat(nearest).median())


def viewing_directions(quaternion: Tensor) -> Tensor:
    """Direction of the beam in the frame of the body: (..., 4) -> (..., 3) unit vectors ordered z, y, x."""
    return rotation_matrices(quaternion)[..., 0, :]


def orientation_probability(index: Tensor, probability: Tensor, rotations: int) -> Tensor:
    """Total probability of every sampled orientation, P_r = sum over patterns i of p_ir.

    Args:
        index: (N, k) int64 index r of the most probable orientations of each pattern; -1 where there are fewer.
        probability: (N, k) probabilities of these orientations.
        rotations: Number of sampled orientations, R.

    Returns:
        (R,) float64; its sum is the number of patterns where the k hold all the probability.

    Source: Shi et al. (2019), S4, with k = 10.
    """
    filled = index >= 0
    total = torch.zeros(rotations, dtype=torch.float64)
    return total.index_add_(0, index[filled], probability[filled].double())


def fold_directions(direction: Tensor, symmetry: str) -> Tensor:
    """Turn directions by the symmetries of the body into one asymmetric unit, (N, 3) -> (N, 3), ordered z, y, x.

    The unit is the part of the sphere nearer to a fixed direction of no symmetry than to its equivalents, one of K
    equal parts.
    """
    matrices = rotation_matrices(symmetry_group(symmetry)).to(direction)
    turned = torch.einsum("kij,nj->nki", matrices, direction)
    middle = torch.nn.functional.normalize(direction.new_tensor([1.0, 0.35, 0.12]), dim=0)
    best = (turned @ middle).argmax(dim=1)
    return turned[torch.arange(len(direction)), best]


def slice_intensity(intensity: Tensor, quaternion: Tensor, q: Tensor) -> Tensor:
    """Patterns of a merged intensity: trilinear interpolation at the positions of the detector pixels.

    Args:
        intensity: (M, M, M) ordered z, y, x; q = 0 is voxel M // 2.
        quaternion: (N, 4) body to laboratory.
        q: (H, W, 3) scattering vectors of the pixels, voxel, ordered z, y, x.

    Returns:
        (N, H, W); 0 outside the cube.
    """
    size = intensity.shape[-1]
    turned = torch.einsum("nji,hwj->nhwi", rotation_matrices(quaternion).to(intensity), q.to(intensity))
    position = (turned + size // 2) * (2 / (size - 1)) - 1
    volume = intensity.expand(len(quaternion), 1, size, size, size)
    sampled = torch.nn.functional.grid_sample(volume, position.flip(-1)[:, None], align_corners=True)
    return sampled[:, 0, 0]


def sphere_points(count: int) -> Tensor:
    """Points evenly spread over the sphere on a Fibonacci spiral, (count, 3) float64, ordered z, y, x."""
    number = torch.arange(count, dtype=torch.float64)
    z, angle = 1 - (2 * number + 1) / count, 4 * pi * number / (1 + sqrt(5))
    radius = (1 - z**2).sqrt()
    return torch.stack([z, radius * angle.sin(), radius * angle.cos()], dim=-1)
