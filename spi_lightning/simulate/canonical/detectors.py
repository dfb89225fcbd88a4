"""Detectors in the canonical frame: gaps, holes, beam stops, edges and dead pixels, as measured shares of cells."""

from dataclasses import field
from math import pi
from typing import Final

import torch
from torch import Tensor

from spi_lightning.simulate.draws import Range, chance, choose, log_uniform, recipe, uniform

DETECTORS: Final = ("whole", "pnccd", "tiles", "quadrants", "stop")
_WHOLE, _PNCCD, _TILES, _QUADRANTS, _STOP = range(len(DETECTORS))


@recipe
class DetectorRecipe:
    """Distribution of detectors, one per pattern.

    ``whole`` has no gap; ``pnccd`` two halves with a gap and a hole; ``tiles`` gaps at equal distances in both
    directions, as in Jungfrau or ePix detectors; ``quadrants`` modules in a windmill around a hole, as AGIPD; ``stop``
    tiles or none behind a beam stop with an arm. Each may be turned by 90 degrees.

    Attributes:
        detectors: Weight of each of DETECTORS.
        gap: Range of the width of gaps, cells, log-uniform.
        hole: Range of the edge or diameter of holes and beam stops, cells, uniform.
        period: Range of the distance of gaps, cells, log-uniform.
        shift: Standard deviation of the position of hole and gap against the beam, cells.
        cut: Share of patterns with sides beyond the frame.
        cut_at: Range of the distance of such a side from the middle, cells, uniform.
        round: Share of patterns with corners beyond a round frame.
        dead: Share of patterns with dead pixels.
        dead_fraction: Range of the share of dead pixels in those, log-uniform.
        lost_panel: Share of patterns with a lost rectangle.
    """

    detectors: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DETECTORS, 1.0))
    gap: Range = (0.3, 4.0)
    hole: Range = (1.0, 9.0)
    period: Range = (8.0, 50.0)
    shift: float = 2.5
    cut: float = 0.3
    cut_at: Range = (6.0, 32.0)
    round: float = 0.1
    dead: float = 0.4
    dead_fraction: Range = (1e-3, 5e-2)
    lost_panel: float = 0.06

    def __call__(self, shape: tuple[int, int], beam: Tensor, generator: torch.Generator) -> Tensor:
        """Measured share of every cell, (B, H, W) in [0, 1], around beams (B, 2), cells."""
        count = len(beam)
        kind = choose(torch.tensor([float(self.detectors.get(name, 0.0)) for name in DETECTORS]), count, generator)
        centre = beam + self.shift * torch.randn(count, 2, generator=generator)
        y, x = (torch.arange(n, dtype=torch.float32)[None] - centre[:, axis, None] for axis, n in enumerate(shape))
        share = self._gaps(kind, y, x, generator) * self._hole(kind, y, x, generator)
        turned = share.transpose(1, 2) if shape[0] == shape[1] else share
        share = torch.where(chance(0.5, (count, 1, 1), generator), turned, share)
        return share * self._frame(count, shape, generator) * self._dead(count, shape, generator)

    def _gaps(self, kind: Tensor, y: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
        """Share that the gaps between panels leave."""
        count = len(kind)
        gap = log_uniform(self.gap, (count, 2, 1), generator)
        period = log_uniform(self.period, (count, 2, 1), generator)
        phase = uniform((0, 1), (count, 2, 1), generator)
        side = uniform((0, 6), (count, 1), generator)
        row, column = y[:, :, None], x[:, None]
        middle = _outside(row, gap[:, :1]) * torch.ones_like(column)
        tiles = _outside(_periodic(row, period[:, :1], phase[:, :1]), gap[:, :1] / 2) * _outside(
            _periodic(column, period[:, 1:], phase[:, 1:]), gap[:, 1:] / 2
        )
        beside = row - (side * x.sign())[:, None]  # the right half lies lower than the left one
        windmill = _outside(beside, gap[:, :1]) * _outside(
            _periodic(beside, period[:, :1], phase[:, :1]), gap[:, :1] / 2
        )
        windmill = windmill * _outside(column + (side * y.sign())[:, :, None], gap[:, 1:])
        tiled = (kind == _TILES) | ((kind == _STOP) & chance(0.4, (count,), generator))
        share = torch.where(tiled[:, None, None], tiles, torch.ones_like(tiles))
        share = torch.where((kind == _PNCCD)[:, None, None], middle, share)
        return torch.where((kind == _QUADRANTS)[:, None, None], windmill, share)

    def _hole(self, kind: Tensor, y: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
        """Share that hole or beam stop leave: squares, discs, and discs with an arm to the edge."""
        count = len(kind)
        half = uniform(self.hole, (count, 1, 1), generator) / 2
        square, angle = chance(0.5, (count, 1, 1), generator), uniform((0, 2 * pi), (count, 1, 1), generator)
        row, column = y[:, :, None], x[:, None]
        disc = (torch.hypot(row, column) - half + 0.5).clamp(0, 1)
        box = (torch.maximum(row.abs(), column.abs()) - half + 0.5).clamp(0, 1)
        hole = torch.where(square & (kind != _STOP)[:, None, None], box, disc)
        along, across = row * angle.sin() + column * angle.cos(), row * angle.cos() - column * angle.sin()
        arm = (across.abs() - uniform((0.3, 1.5), (count, 1, 1), generator) + 0.5).clamp(0, 1)
        stop = torch.where(along > 0, arm, torch.ones_like(arm))
        hole = torch.where((kind == _STOP)[:, None, None], hole * stop, hole)
        bare = torch.where(kind == _WHOLE, 0.6, 0.15)
        return torch.where((torch.rand(count, generator=generator) < bare)[:, None, None], torch.ones_like(hole), hole)

    def _frame(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Share within the frame: sides and corners beyond it, and a lost panel."""
        y, x = (torch.arange(n, dtype=torch.float32)[None] - (n - 1) / 2 for n in shape)
        cut = chance(self.cut, (count, 1), generator)
        sides = [
            torch.where(cut & chance(0.5, (count, 1), generator), uniform(self.cut_at, (count, 1), generator), 1e3)
            for _ in range(4)
        ]
        rows = ((y < sides[0]) & (y > -sides[1])).float()
        columns = ((x < sides[2]) & (x > -sides[3])).float()
        share = rows[:, :, None] * columns[:, None]
        rounded = chance(self.round, (count, 1, 1), generator)
        radius = torch.where(rounded, uniform((20, 36), (count, 1, 1), generator), 1e3)
        share = share * (torch.hypot(y[:, :, None], x[:, None]) < radius)
        lost = chance(self.lost_panel, (count, 1, 1), generator)
        corner, size = uniform((-32, 20), (count, 2), generator), uniform((4, 32), (count, 2), generator)
        inside_y = (y > corner[:, :1]) & (y < (corner + size)[:, :1])
        inside_x = (x > corner[:, 1:]) & (x < (corner + size)[:, 1:])
        return share * ~(lost & inside_y[:, :, None] & inside_x[:, None])

    def _dead(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Share that dead pixels leave: whole cells, or parts of cells that are sums of pixels."""
        fraction = chance(self.dead, (count, 1, 1), generator) * log_uniform(
            self.dead_fraction, (count, 1, 1), generator
        )
        dead = torch.rand(count, *shape, generator=generator) < fraction
        lost = torch.where(chance(0.5, (count, 1, 1), generator), 1.0, 0.25)
        return 1 - dead * lost


def _outside(position: Tensor, width: Tensor) -> Tensor:
    """Share of the unit cell around ``position`` outside a bar of ``width`` around 0."""
    half = width / 2
    overlap = torch.minimum(position + 0.5, half) - torch.maximum(position - 0.5, -half)
    return 1 - overlap.clamp(0, 1)


def _periodic(position: Tensor, period: Tensor, phase: Tensor) -> Tensor:
    """Distance from the nearest of equidistant bars."""
    turn = position / period + phase
    return (turn - turn.round()) * period
