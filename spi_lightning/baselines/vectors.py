"""Vectors of patterns: pixels, rings that are invariant under rotation about the beam, correlations with masks."""

from math import pi
from typing import Literal

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.array import bin_pixels, crop_about

_RIDGE = 0.01  # of a fully measured ring; keeps orders small that a gap leaves undetermined
_LEAST_COVERAGE = 0.25  # share of measured pixels below which a ring takes the values of the nearest one


class AngularVectors:
    """Feature vectors of rings: photons (n, H, W), mask (H, W) or (n, H, W) bool -> (n, d) float32.

    Measured pixels are gathered in polar cells, Friedel mates in the same one. On each ring the photons per pixel are
    fitted by c_0 + sum_m c_m cos(m theta) + s_m sin(m theta), m = 2, 4, ..., weighted by the measured pixels, so that a
    gap is not a modulation. The vector holds

    - for each ring and order, the amplitude sqrt(c_m^2 + s_m^2) / (2 sqrt(c_0)), the modulation of the square root of
      the intensity, whose Poisson noise is the same everywhere; the power that noise alone would give is subtracted;
    - for each ring sqrt(c_0), times ``profile``;
    - both over the root mean square of sqrt(c_0), so that brightness drops out; it comes last, as
      ``brightness`` times the logarithm of the photons on all rings, gaps filled.

    Single particles are nearly round: their modulation is small next to that of clusters. A ring measured to
    less than a quarter takes the values of the nearest one. A frame without measured pixels becomes all NaN.

    Args:
        rings: Number of rings of equal width.
        orders: Number of angular orders: 2, 4, ..., 2 * orders. Odd ones vanish by Friedel's law.
        angles: Number of cells on half a ring.
        inner, outer: Smallest and largest radius of the rings, over half the shorter edge; inside is the beam hole.
        profile: Weight of the radial profile against the modulation.
        brightness: Weight of the logarithm of the photons.
        beam_centre: Row and column of the beam, pixel; None: the middle.

    Raises:
        UserError: An option is out of range, or the centre is so near the edge that no ring fits.

    Source: angular Fourier series of rings, Kam (1977), doi:10.1021/ma60059a009; power of shot noise subtracted.
    """

    def __init__(
        self,
        rings: int = 24,
        orders: int = 3,
        angles: int = 24,
        inner: float = 0.0625,
        outer: float = 1.0,
        profile: float = 1.0,
        brightness: float = 0.1,
        beam_centre: tuple[float, float] | None = None,
    ) -> None:
        if min(rings, orders) < 1 or angles < 2 * orders + 1:
            raise UserError(
                f"vectors.rings={rings}, vectors.orders={orders} must be 1 or more, and vectors.angles={angles} at "
                f"least {2 * orders + 1} to separate the orders"
            )
        if not 0 <= inner < outer:
            raise UserError(f"vectors.inner={inner:g} must not be negative, and less than vectors.outer={outer:g}")
        self.rings, self.orders, self.angles = rings, orders, angles
        self.inner, self.outer, self.beam_centre = inner, outer, beam_centre
        self.profile, self.brightness = profile, brightness

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Feature vectors (n, d) of photons (n, H, W) and masks."""
        shape = (photons.shape[-2], photons.shape[-1])
        cell = self._cells(shape, photons.device)
        keep = mask if mask.ndim == 3 else mask[None]
        total = self._gather(torch.where(keep, photons, 0.0).float(), cell)
        pixels, whole = self._gather(keep.float(), cell), self._gather(torch.ones_like(keep[:1]).float(), cell)
        area = whole.sum(-1)
        mean, modulation = self._fit(total, pixels, area)
        measured = pixels.sum(-1) > _LEAST_COVERAGE * area
        ring = _nearest_measured(measured & (area > 0)).expand(mean.shape)
        mean = mean.gather(1, ring)
        modulation = modulation.gather(1, ring[..., None].expand_as(modulation))
        scale = mean.mean(1, keepdim=True).sqrt()
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        photons_on_rings = (mean * area).sum(1, keepdim=True).clamp_min(1)
        parts = (modulation.flatten(1) / scale, self.profile * mean.sqrt() / scale)
        vectors = torch.cat([*parts, self.brightness * photons_on_rings.log()], dim=1)
        return torch.where(measured.any(1, keepdim=True), vectors, torch.nan)

    def _cells(self, shape: tuple[int, int], device: torch.device) -> Tensor:
        """Index of the polar cell of every pixel, (H * W,) int64; rings * angles where it has none."""
        row, column = self.beam_centre or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
        y, x = torch.arange(shape[0], device=device) - row, torch.arange(shape[1], device=device) - column
        half = min(shape) / 2
        ring = ((torch.hypot(y[:, None], x) / half - self.inner) * (self.rings / (self.outer - self.inner))).floor()
        # Rounded, not floored: no pixel then lies on the border of two cells, which a turn by 90 degrees would upset.
        angle = (torch.atan2(y[:, None], x) * (self.angles / pi)).round().remainder(self.angles)
        cell = torch.where((ring >= 0) & (ring < self.rings), ring * self.angles + angle, self.rings * self.angles)
        if not (cell < self.rings * self.angles).any():
            raise UserError(
                f"vectors.beam_centre={self.beam_centre}: no ring lies on patterns of {shape[0]} x {shape[1]} pixels"
            )
        return cell.long().flatten()

    def _gather(self, image: Tensor, cell: Tensor) -> Tensor:
        """Sum pixels over polar cells, (n, H, W) -> (n, rings, angles)."""
        cells = self.rings * self.angles
        sums = image.new_zeros(len(image), cells + 1).index_add_(1, cell, image.flatten(1))
        return sums[:, :cells].view(len(image), self.rings, self.angles)

    def _fit(self, total: Tensor, pixels: Tensor, area: Tensor) -> tuple[Tensor, Tensor]:
        """Mean photons per pixel (n, rings) and modulation of its root (n, rings, orders), of every ring."""
        theta = torch.arange(self.angles, device=total.device) * (pi / self.angles)
        waves = [wave(2 * m * theta) for m in range(1, self.orders + 1) for wave in (torch.cos, torch.sin)]
        basis = torch.stack([torch.ones_like(theta), *waves], dim=1)
        normal = torch.einsum("nrt,tk,tl->nrkl", pixels, basis, basis)
        ridge = basis.new_full((len(basis[0]),), _RIDGE)
        ridge[0] = 1e-6  # the mean itself is not to shrink
        inverse = torch.linalg.inv(normal + (area.clamp_min(1)[..., None] * ridge).diag_embed())
        fitted = torch.einsum("nrkl,nrt,tl->nrk", inverse, total, basis)
        mean = fitted[..., 0].clamp_min(0)
        one_photon = 1 / pixels.sum(-1).clamp_min(1)
        power = fitted[..., 1:].square() / (4 * torch.maximum(mean, one_photon))[..., None]
        excess = power - inverse.diagonal(dim1=-2, dim2=-1)[..., 1:] / 4  # variance c_0 * inverse, over 4 c_0
        return mean, (excess[..., 0::2] + excess[..., 1::2]).clamp_min(0).sqrt()


def _nearest_measured(measured: Tensor) -> Tensor:
    """Index of the nearest True along the last axis of (n, rings), the outer of two; 0 where there is none."""
    ring = torch.arange(measured.shape[1], device=measured.device)
    distance = (ring[:, None] - ring).abs() * 2 + (ring < ring[:, None])
    return distance.masked_fill(~measured[:, None], 4 * len(ring)).argmin(-1)


Scale = Literal["none", "sqrt", "log"]
Fill = Literal["rings", "mean", "nan"]


class PixelVectors:
    """Vectors of measured pixels: photons (n, H, W), mask (H, W) or (n, H, W) bool -> (n, d) float32.

    With a common mask (H, W), d is the number of measured pixels, so that correlations and distances are those of
    measured pixels alone. With a mask for each frame, d is the number of all pixels, and unmeasured ones are filled by
    ``fill``.

    Args:
        bin: Edge of the squares of pixels that are summed.
        scale: Scaling of photons: ``sqrt`` is the variance-stabilising 2 sqrt(n + 3/8) of Anscombe (1948),
            doi:10.1093/biomet/35.3-4.246; ``log`` is log(1 + n); ``none`` leaves photons.
        crop: Edge of the square about the beam in use, pixel of the file; None: all.
        fill: Filling with a mask for each frame: ``rings``, the mean of the frame over the ring of one pixel width
            around the centre (over all measured pixels for an unmeasured ring); ``mean``, the mean of the frame, which
            does not contribute to a correlation; ``nan``, for the metric ``masked_correlation``, which leaves them out.
            A frame without measured pixels becomes 0, or all NaN.
        beam_centre: Row and column of the beam, pixel of the file; None: the middle.
    """

    def __init__(
        self,
        bin: int = 2,
        scale: Scale = "sqrt",
        crop: int | None = None,
        fill: Fill = "rings",
        beam_centre: tuple[float, float] | None = None,
    ) -> None:
        if scale not in ("none", "sqrt", "log"):
            raise UserError(f"vectors.scale={scale} is not known: use sqrt, log or none")
        if fill not in ("rings", "mean", "nan"):
            raise UserError(f"vectors.fill={fill} is not known: use rings, mean or nan")
        if bin < 1:
            raise UserError(f"vectors.bin={bin} must be 1 or more")
        self.bin, self.scale, self.crop, self.fill, self.beam_centre = bin, scale, crop, fill, beam_centre

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, d) of photons (n, H, W) and masks."""
        shared = mask.ndim == 2
        photons, mask = (crop_about(image, self.crop, self.beam_centre) for image in (photons, mask))
        binned, measured = bin_pixels(photons[:, None], mask[None, None] if shared else mask[:, None], self.bin)
        values = self._scaled(binned.squeeze(1))
        if shared:
            return values[:, measured.squeeze()]
        measured = measured.squeeze(1)
        if self.fill == "nan":
            return torch.where(measured, values, torch.nan).flatten(1)
        means = _frame_means(values, measured) if self.fill == "mean" else _ring_means(values, measured, self._middle)
        return torch.where(measured, values, means).flatten(1)

    @property
    def _middle(self) -> tuple[float, float] | None:
        """Row and column of the beam of binned patterns without a crop, binned pixel; None: their middle."""
        if self.beam_centre is None or self.crop is not None:
            return None
        row, column = ((at + 0.5) / self.bin - 0.5 for at in self.beam_centre)
        return row, column

    def _scaled(self, photons: Tensor) -> Tensor:
        if self.scale == "sqrt":
            return 2 * (photons.clamp_min(0) + 0.375).sqrt()
        return photons.clamp_min(0).log1p() if self.scale == "log" else photons


def _frame_means(values: Tensor, measured: Tensor) -> Tensor:
    """Mean over the measured pixels of each frame, (n, H, W) -> (n, 1, 1)."""
    total = torch.where(measured, values, 0.0).sum((1, 2), keepdim=True)
    return total / measured.sum((1, 2), keepdim=True).clamp_min(1)


def _ring_means(values: Tensor, measured: Tensor, centre: tuple[float, float] | None) -> Tensor:
    """Mean over the measured pixels of the ring of each pixel about a centre, (n, H, W) -> (n, H, W)."""
    count, height, width = values.shape
    row, column = centre or (height // 2, width // 2)
    along = zip((height, width), (row, column), strict=True)
    y, x = torch.meshgrid(
        *(torch.arange(n, device=values.device, dtype=values.dtype) - at for n, at in along), indexing="ij"
    )
    ring = torch.hypot(y, x).round().long().flatten()
    empty = values.new_zeros(count, int(ring.max()) + 1)
    pixels = empty.index_add(1, ring, measured.flatten(1).to(values.dtype))
    total = empty.index_add(1, ring, torch.where(measured, values, 0.0).flatten(1))
    means = torch.where(pixels > 0, total / pixels.clamp_min(1), _frame_means(values, measured).flatten(1))
    return means[:, ring].view_as(values)


def masked_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation of every pair over their common entries.

    Means, variances and products are taken over the same entries, so that a vector correlates with itself to 1.

    Args:
        first: (n, d) float vectors, NaN where an entry is missing.
        second: (m, d) float vectors, NaN where an entry is missing.

    Returns:
        (n, m) from -1 to 1; -1, the farthest, where fewer than two entries are common or one vector is constant on
        them.

    Source: Pearson's r with pairwise deletion; the product over all pixels with means over measured ones is no
        correlation (its value for a pattern with itself is far from 1).
    """
    (x, has_x), (y, has_y) = _centred(first), _centred(second)
    shared = (has_x @ has_y.T).clamp_min(1)
    sum_x, sum_y = x @ has_y.T, has_x @ y.T
    covariance = x @ y.T - sum_x * sum_y / shared
    square_x, square_y = x**2 @ has_y.T, has_x @ (y**2).T
    variance_x, variance_y = square_x - sum_x**2 / shared, square_y - sum_y**2 / shared
    defined = (variance_x > 1e-6 * square_x) & (variance_y > 1e-6 * square_y) & (shared > 1)
    scale = (variance_x * variance_y).clamp_min(torch.finfo(x.dtype).tiny).sqrt()
    return torch.where(defined, (covariance / scale).clamp(-1, 1), -1.0)


def _centred(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Centred vectors (n, d), 0 for missing entries, and their mask as 0 and 1."""
    has = ~vectors.isnan()
    mean = vectors.nanmean(dim=1, keepdim=True).nan_to_num(0.0)
    return torch.where(has, vectors - mean, 0.0), has.to(vectors.dtype)
