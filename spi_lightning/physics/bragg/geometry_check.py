"""Checks of a stated geometry: plausible values, agreement with the file, and the sign of the rocking angle.

Most mistakes are a wrong unit or sign. The sign is tested by the facet streaks of a cubic crystal: facets send streaks
along their normals, which in the laboratory make the angles of the lattice with Q and with each other; an angle of the
wrong sign shears the pattern, so that they do not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_COLUMN, BEAM_ROW, DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.notes import Note
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

from .geometry import BraggGeometry

_LEAST_TWO_THETA: Final = 1.0  # degree; no Bragg peak lies nearer the direct beam
_LONGEST: Final = 12.0  # times as long along the rocking direction as across, or as short; mrad without a unit make 17
_SAME: Final = 0.01  # relative difference below which two numbers are one


@dataclass(frozen=True)
class _Range:
    """Range of absolute values that occur, their unit, and other units in use: name -> factor."""

    low: float
    high: float
    unit: str
    meant: Mapping[str, float]


_ANGLES: Final = {"mrad": 0.18 / math.pi, "arcsec": 1 / 3600}
_RANGES: Final = {
    PHOTON_ENERGY: _Range(1e3, 2e5, "eV", {"keV": 1e3, "joule": 6.241509e18, "eV": ELEMENTARY_CHARGE}),
    DISTANCE: _Range(0.02, 50, "m", {"mm": 1e-3, "cm": 1e-2}),
    PIXEL_SIZE: _Range(1e-6, 1e-3, "m", {"mm": 1e-3, "µm": 1e-6}),
    "pixel_size_rows": _Range(1e-6, 1e-3, "m", {"mm": 1e-3, "µm": 1e-6}),
    "delta_deg": _Range(0, 180, "degree", _ANGLES),
    "gamma_deg": _Range(0, 180, "degree", _ANGLES),
    BEAM_ROW: _Range(0, 2e4, "pixel", {}),
    BEAM_COLUMN: _Range(0, 2e4, "pixel", {}),
    "step_deg": _Range(1e-6, 2, "degree", {"thousandths of a degree": 1e-3}),
}


def require_plausible(geometry: Mapping[str, float | str], stated: Mapping[str, float | str]) -> None:
    """Refuse a quantity outside the range of any experiment, naming its unit and a likely remedy.

    Args:
        geometry: Quantities of BraggGeometry that the file states.
        stated: Those that the user states; they take precedence.

    Raises:
        UserError: A quantity is outside its range.
    """
    for name, rule in _RANGES.items():
        value = (dict(geometry) | dict(stated)).get(name)
        if not isinstance(value, int | float) or rule.low <= abs(value) <= rule.high or value == 0:
            continue  # BraggGeometry checks zero and what is not a number
        who = f"data.geometry.{name}={value:g}" if name in stated else f"the file says {name}={value:g}"
        likely = [
            f"was it in {unit}? Then give data.geometry.{name}={value * factor:g}"
            for unit, factor in rule.meant.items()
            if rule.low <= abs(value * factor) <= rule.high
        ]
        remedy = likely[0] if likely else f"give data.geometry.{name}= in {rule.unit}"
        low = f"{rule.low:g} to " if rule.low else "up to "
        raise UserError(f"{who} {rule.unit}: {low}{rule.high:g} {rule.unit} can be; {remedy}")


def require_bragg_angle(known: BraggGeometry, stated: Mapping[str, float | str]) -> list[Note]:
    """Refuse a detector arm within one degree of the direct beam, whose angles are most likely radians.

    Args:
        known: Geometry as stated by file and user.
        stated: Quantities that the user states; two angles of the user are accepted with a warning.

    Returns:
        A warning, or an empty list.

    Raises:
        UserError: An angle of the file is that small.
    """
    if known.delta_deg is None or known.gamma_deg is None or known.photon_energy is None:
        return []
    arm = replace(known, off_axis=None).two_theta_deg()
    if arm >= _LEAST_TWO_THETA:
        return []
    values = {"delta_deg": known.delta_deg, "gamma_deg": known.gamma_deg}
    named = " and ".join(f"{name}={value:g}" for name, value in values.items())
    finding = f"{named} make a two-theta of {arm:.3g} degree, below 1 degree, where no Bragg peak is"
    radians = " ".join(f"data.geometry.{name}={math.degrees(value):g}" for name, value in values.items())
    remedy = f"are the angles in radians? Then give {radians}"
    if set(values) <= set(stated):
        return [Note.warning(f"{finding}: {remedy}")]
    raise UserError(f"the file says {finding}: {remedy}, else give both in degree")


def implausible_step(extent: Sequence[float], vectors: Tensor, step_deg: float) -> list[Note]:
    """Warning where the rocking step makes the crystal a needle or a leaf along the rocking direction.

    Args:
        extent: Lengths of the crystal along frame, row and column, voxel of the density.
        vectors: (3, 3) steps between these voxels as columns, m.
        step_deg: Rocking step from frame to frame, degree.
    """
    along, *across = (n * float(step) for n, step in zip(extent, vectors.norm(dim=0), strict=True))
    times = along / math.sqrt(math.prod(across))
    if 1 / _LONGEST <= times <= _LONGEST:
        return []
    edges = " x ".join(f"{1e9 * edge:.3g}" for edge in (along, *across))
    return [
        Note.warning(
            f"a step of {step_deg:g} degree makes a crystal of {edges} nm along frame, row and column: is the "
            "rocking angle in degree? A data set of angles names its unit in its attribute units, or give "
            "data.geometry.step_deg="
        )
    ]


def contradictions(geometry: Mapping[str, float | str], stated: Mapping[str, float | str]) -> list[Note]:
    """Warning for each number of the user that differs from that of the file; the user's is taken."""
    notes = []
    for name, value in stated.items():
        stored = geometry.get(name)
        if not isinstance(stored, int | float) or not isinstance(value, int | float):
            continue
        if abs(stored - value) <= _SAME * abs(stored):
            continue
        turned = name == "step_deg" and stored * value < 0
        why = "; the sign decides which way round the crystal is seen" if turned else ""
        unit = _RANGES[name].unit
        notes.append(Note.warning(f"the file says {name}={stored:+g} {unit}, you say {value:+g}: yours is taken{why}"))
    return notes


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
