"""Sign of the rocking angle, tested by the facet streaks of a cubic crystal.

Facets send streaks along their normals. In the laboratory these make the angles of the lattice with Q and with each
other; an angle of the wrong sign shears the pattern, so that they do not.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.notes import Note

from .geometry import BraggGeometry

_TURNS = 180  # angles tried about Q
_RADII = 24


@dataclass(frozen=True)
class AngleSign:
    """Evidence for one of the two signs of the rocking step.

    Attributes:
        stated, reversed: Excess of the logarithm of the photons along the facet normals over their shell, with the
            stated step and with the opposite sign.
    """

    stated: float
    reversed: float

    @property
    def note(self) -> Note | None:
        """Warning if the opposite sign fits clearly better, else None."""
        if self.reversed > self.stated + 0.1 * abs(self.stated) and self.reversed > 0.1:
            return Note.of(
                f"the facets fit the lattice better with data.geometry.step_deg of the other sign "
                f"({self.reversed:.2f}, not {self.stated:.2f}): check which way the rocking axis turns"
            )
        return None


def compare_angle_signs(
    photons: Tensor, geometry: BraggGeometry, bin: tuple[int, ...], reflection: tuple[int, int, int] = (1, 1, 1)
) -> AngleSign:
    """Compare both signs of the rocking step by the facet streaks of a cubic crystal.

    The crystal's orientation is known up to a turn about Q; all are tried. {111} and {100} facets are looked for.

    Args:
        photons: (Z, Y, X) counts, the peak at n // 2.
        geometry: Complete geometry of the scan.
        bin: Voxels binned along each axis.
        reflection: Miller indices of the peak.

    Raises:
        UserError: The geometry is incomplete.
    """
    return AngleSign(*(_streaks(photons, geometry.with_step(sign), bin, reflection) for sign in (1.0, -1.0)))


def facet_axes(reflection: tuple[int, int, int]) -> Tensor:
    """Axes (7, 3) of {111} and {100}, in a frame whose first direction is the reflection's; float64."""
    axes = [(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    vectors = torch.tensor(axes, dtype=torch.float64)
    unit: Tensor = vectors / vectors.norm(dim=1, keepdim=True)
    return unit @ _frame(torch.tensor(reflection, dtype=torch.float64)).T


def _frame(first: Tensor) -> Tensor:
    """Right-handed orthonormal frame (3, 3), rows, whose first row is a direction."""
    first = first / first.norm()
    other = torch.eye(3, dtype=torch.float64)[int(first.abs().argmin())]
    second = torch.linalg.cross(first, other)
    second = second / second.norm()
    return torch.stack([first, second, torch.linalg.cross(first, second)])


def _streaks(photons: Tensor, geometry: BraggGeometry, bin: tuple[int, ...], reflection: tuple[int, int, int]) -> float:
    """Mean excess of the logarithm of the photons along the facets' normals, for the best turn about Q."""
    steps = geometry.reciprocal_steps(bin)
    to_index = torch.linalg.inv(steps)
    shape = torch.tensor(photons.shape, dtype=torch.float64)
    reach = float((0.9 * (shape // 2 - 1) / to_index.norm(dim=1)).min())  # a sphere inside the box
    radii = torch.linspace(0.25, 1.0, _RADII, dtype=torch.float64) * reach
    logarithm = torch.log1p(photons.float())[None, None]

    def along(directions: Tensor) -> Tensor:
        """Logarithm of the photons (directions, radii), averaged over both ends."""
        index = (directions[:, None] * radii[:, None]) @ to_index.T
        both = torch.stack([index, -index]).reshape(1, 1, -1, _RADII, 3)
        grid = ((both + shape // 2) * 2 / (shape - 1) - 1).flip(-1).to(logarithm)
        sampled = F.grid_sample(logarithm, grid, align_corners=True)[0, 0, 0]
        return sampled.reshape(2, -1, _RADII).mean(0)

    generator = torch.Generator().manual_seed(0)
    anywhere = torch.randn(2000, 3, generator=generator, dtype=torch.float64)
    shell = along(anywhere / anywhere.norm(dim=1, keepdim=True)).mean(0)
    frame = _frame(geometry.scattering_vector().flip(0)).flip(1)  # z, y, x; flipped twice to stay right-handed
    angle = 2 * math.pi * torch.arange(_TURNS, dtype=torch.float64) / _TURNS
    axes = facet_axes(reflection)
    turned = torch.stack(
        [
            axes[:, 0].expand(_TURNS, -1),
            angle.cos()[:, None] * axes[:, 1] - angle.sin()[:, None] * axes[:, 2],
            angle.sin()[:, None] * axes[:, 1] + angle.cos()[:, None] * axes[:, 2],
        ],
        dim=-1,
    )
    excess = along((turned @ frame).reshape(-1, 3)) - shell
    return float(excess.mean(1).reshape(_TURNS, -1).mean(1).max())
