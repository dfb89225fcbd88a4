"""Settings of orientations by the EMC of this package or Dragonfly; a mistake is refused when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spi_lightning.errors import UserError, whole_number
from spi_lightning.physics.rotations.orientations import SYMMETRIES

from .emc import read_emc


@dataclass(frozen=True)
class DetectorGeometry:
    """Geometry that the file of patterns does not state, or states wrongly; None: as the file has it.

    Attributes:
        distance: Distance from the particle to the detector, m.
        pixel_size: Edge of a detector pixel, m.
        beam_centre: Row and column of the direct beam, pixel of the file.
    """

    distance: float | None = None
    pixel_size: float | None = None
    beam_centre: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rings:
    """Radii around the beam between which pixels determine orientations, binned pixel.

    Attributes:
        inner: Inner radius; None: where the mean pattern has fallen to a tenth of its peak.
        outer: Outer radius; None: what the window holds.
    """

    inner: float | None = None
    outer: float | None = None


@dataclass(frozen=True)
class FirstGuess:
    """First merged intensity.

    Attributes:
        kind: ``profile``, the mean pattern turned into a volume, or ``random``, white noise as Dragonfly's own.
        noise: Share of the profile that is random.
        seed: Seed of what is random.
        count: Number of runs from first guesses of as many seeds, of which the likeliest result counts; more than 1 for
            the EMC of this package alone.

    Raises:
        UserError: An unknown kind, or a count that is not whole or below 1.
    """

    kind: str = "profile"
    noise: float = 0.03
    seed: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("profile", "random"):
            raise UserError(f"start.kind={self.kind}: give profile or random")
        object.__setattr__(self, "count", whole_number("start.count", self.count, 1))


def _usual_emc() -> dict[str, Any]:
    return {"num_div": 6, "need_scaling": 1, "beta_factor": 2.5, "beta_schedule": "1.25 1"}


@dataclass(frozen=True)
class OrientationSettings:
    """Settings of orientations, with the names and defaults of conf/orient.yaml.

    Attributes:
        detector: Geometry instead of the file's.
        crop: Edge of the square around the beam that is used, pixel of the file; None: the largest.
        bin: Number of pixels summed along each axis.
        rings: Radii between which pixels determine orientations, binned pixel.
        symmetry: ``none`` or ``icosahedral``: equivalent orientations count as one, in the axes found in the merged
            intensity.
        control: Run folder of an even, simulated set as reference of the test of evenness; None: theory.
        top: Number of most probable orientations of each pattern that count.
        dragonfly: Dragonfly instead of the EMC of this package: path of the program, of the virtual environment that
            holds it, or its name in PATH; None: the EMC of this package.
        iterations: Number of EMC iterations, the greatest one for the EMC of this package.
        tolerance: Change of the mean log-likelihood of a pattern, nat, below which the EMC of this package stops, once
            beta is 1.
        threads: Number of threads; None: all cores.
        device: Device of the EMC of this package, ``auto``: the GPU if there is one.
        memory: Memory for the probabilities of the EMC of this package, GB; patterns are taken in blocks that fit.
        keep: ``last`` keeps the output of the last iteration, ``all`` those of all.
        emc: Lines of Dragonfly's section [emc], of which the EMC of this package knows those of EmcSettings.
        start: First guess of the merged intensity.
        output: Earlier output of the same patterns that is read instead of running Dragonfly; None: it is run.
        quaternions: List of the sampled orientations, where an old output has none.
        examples: Number of patterns displayed beside their best matching slices; 0: none.

    Raises:
        UserError: An unknown symmetry or keep, or a number that is not whole or too small.
    """

    detector: DetectorGeometry = field(default_factory=DetectorGeometry)
    crop: int | None = None
    bin: int = 1
    rings: Rings = field(default_factory=Rings)
    symmetry: str = "none"
    control: str | None = None
    top: int = 10
    dragonfly: str | None = None
    iterations: int = 24
    tolerance: float = 0.01
    threads: int | None = None
    device: str = "auto"
    memory: float = 4.0
    keep: Literal["last", "all"] = "last"
    emc: Mapping[str, Any] = field(default_factory=_usual_emc)
    start: FirstGuess = field(default_factory=FirstGuess)
    output: str | None = None
    quaternions: str | None = None
    examples: int = 5

    def __post_init__(self) -> None:
        if self.symmetry not in SYMMETRIES:
            raise UserError(f"symmetry={self.symmetry} is unknown; choose one of {', '.join(SYMMETRIES)}")
        for name in ("top", "iterations", "bin"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))  # 1e1 is one
        if self.threads is not None:
            object.__setattr__(self, "threads", whole_number("threads", self.threads, 1))
        if self.keep not in ("last", "all"):
            raise UserError(f"keep={self.keep}: give last or all")
        if self.dragonfly is None and self.output is None:
            read_emc(self.emc)
        elif self.dragonfly is not None and self.start.count > 1:
            raise UserError(f"start.count={self.start.count}: Dragonfly is run once; leave it out, or dragonfly=")
        if not self.memory > 0:
            raise UserError(f"memory={self.memory}: give a number above 0, GB")
