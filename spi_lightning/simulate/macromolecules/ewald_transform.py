"""Fourier transform of atoms at the pixels of a flat detector, on the curved Ewald sphere.

At 8 keV, 0.3 m, 400 um and 512 x 512 pixels (the condor script of Bellisario & Ekeberg 2024) the scattering angle
reaches 26 degrees: the sphere leaves its tangent plane by up to 0.04 / Angstrom, a phase of many radians across a
protein. Atoms are splatted in three dimensions, but coarsely along the beam, where frequencies are low; one batched 2D
FFT gives all planes of all elements and structures, the planes are summed with their phases on the sphere, and the
result is read at the detector's pixels.
"""

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.physics.atoms import AtomBatch, KaiserBessel, form_factor, splat
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.ewald import scattering_vectors
from spi_lightning.physics.photons import pixel_solid_angle, polarisation_factor, pulse_fluence

_GOOD_SIZES = tuple(sorted(2**a * 3**b * 5**c for a in range(1, 11) for b in range(4) for c in range(3)))
_TAPER = 12  # frequencies beyond the detector over which the spectrum fades, since a step would ripple
_FADE = (0.9, 2.4)  # position and steepness of the fade: 1e-4 below 1 on the detector, 1e-3 at the end
_STEPS = 8  # sizes of structures that share one grid, per doubling


@dataclass
class Experiment:
    """Experiment with a flat detector; the beam meets pixel n // 2 by default.

    Attributes:
        shape: Detector height and width, pixel.
        pixel_size, distance: Pixel edge, particle to detector; m.
        photon_energy: Photon energy of the pulse, eV.
        pulse_energy, focus_diameter: Energy of the pulse, J, and diameter of the focus, m, which give the fluence.
        polarisation: Direction of polarisation, horizontal, vertical or none.
        beam_row, beam_column: Position of the beam on the detector, pixel; None: n // 2.
    """

    shape: tuple[int, int] = (512, 512)
    pixel_size: float = 4e-4
    distance: float = 0.3
    photon_energy: float = 8000.0
    pulse_energy: float = 5e-3
    focus_diameter: float = 2e-7
    polarisation: str = "horizontal"
    beam_row: float | None = None
    beam_column: float | None = None

    def __post_init__(self) -> None:
        self.shape = (int(self.shape[0]), int(self.shape[1]))

    @property
    def wavelength(self) -> float:
        """Photon wavelength, m."""
        return wavelength_from_energy(self.photon_energy)

    @property
    def fluence(self) -> float:
        """Fluence of the pulse, photons/m^2."""
        return pulse_fluence(self.pulse_energy, self.focus_diameter, self.photon_energy)

    @property
    def beam_centre(self) -> Tensor:
        """Beam centre (2,) row, column; pixel."""
        stated = zip((self.beam_row, self.beam_column), self.shape, strict=True)
        return torch.tensor([n // 2 if centre is None else centre for centre, n in stated], dtype=torch.float64)

    def q(self) -> Tensor:
        """Scattering vectors (H, W, 3) z, y, x; 1/m, float64."""
        size, distance, wavelength = (
            torch.tensor([value], dtype=torch.float64) for value in (self.pixel_size, self.distance, self.wavelength)
        )
        return scattering_vectors(self.shape, size, distance, wavelength, self.beam_centre[None])[0]

    def acceptance(self) -> Tensor:
        """Solid angle times polarisation factor (H, W); sr."""
        geometry = (self.shape, self.pixel_size, self.distance, self.beam_centre)
        return pixel_solid_angle(*geometry) * polarisation_factor(*geometry, self.polarisation)


@dataclass
class EwaldGrid:
    """Grids of a detector and a largest extent of structures, made once.

    Attributes:
        extent: Extent of the largest structure, m.
        cell, edge: Cell, m, and number of cells of the splatting grid across the beam.
        plane, planes: Distance, m, and number of its planes along the beam.
        kept: Rows and columns of the spectrum that reach the detector.
        fine: Rows and columns of the spectrum from which pixels are interpolated.
        taps, weights: (H W, width^2) index and weight of the points of each pixel.
    """

    extent: float
    cell: float
    edge: int
    plane: float
    planes: int
    kept: int
    fine: int
    taps: Tensor
    weights: Tensor


def ewald_grid(experiment: Experiment, extent: float, kernel: KaiserBessel) -> EwaldGrid:
    """Grids for structures up to an extent (m)."""
    q = experiment.q()
    reach, depth = float(q[..., 1:].abs().max()), float(q[..., 0].abs().max())
    slope = float((q[..., 1:].norm(dim=-1) / (1 / experiment.wavelength + q[..., 0])).max())  # tan of the angle
    cell = 1 / (4 * reach)
    edge = _good_size(max(6 * _TAPER, extent * (1 + slope) / cell + 2 * kernel.width))
    length = edge * cell
    plane = 1 / (4 * depth)
    planes = 2 * math.ceil(extent / 2 / plane + kernel.width / 2) + 1
    kept = min(edge, 2 * (math.ceil(reach * length) + _TAPER))
    fine = 2 * kept
    taps, weights = _interpolation(q[..., 1:].flatten(0, 1) * (2 * length), fine, kernel)
    return EwaldGrid(extent, cell, edge, plane, planes, kept, fine, taps, weights)


def _interpolation(position: Tensor, fine: int, kernel: KaiserBessel) -> tuple[Tensor, Tensor]:
    """Flat indices (M, width^2) int64 and weights float32 of the points around each of M positions, (M, 2) cells."""
    first = torch.floor(position - kernel.width / 2).long() + 1
    cell = first[:, :, None] + torch.arange(kernel.width)
    weight = kernel.weights(cell - position[:, :, None])
    index = (cell[:, 0] % fine)[:, :, None] * fine + (cell[:, 1] % fine)[:, None, :]
    return index.flatten(1), (weight[:, 0, :, None] * weight[:, 1, None, :]).flatten(1).float()


def _good_size(least: float) -> int:
    return next((size for size in _GOOD_SIZES if size >= least), 2 * math.ceil(least / 2))


@dataclass
class EwaldTransform:
    """Transform of atoms at the pixels of a detector, on the curved Ewald sphere.

    Attributes:
        experiment: Detector and pulse of the experiment.
        kernel: Kernel of splatting and interpolation; width 5 has a relative error of 1e-4 of the amplitude, 3e-4
            beyond 1/(6.7 Angstrom), against the sum over all atoms (lysozyme, 8 keV); width 4 four times as much.
    """

    experiment: Experiment = field(default_factory=Experiment)
    kernel: KaiserBessel = field(default_factory=lambda: KaiserBessel(width=5))

    def __post_init__(self) -> None:
        self._grids: dict[tuple[float, str], EwaldGrid] = {}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_grids": {}}

    def __call__(self, atoms: AtomBatch, extent: float) -> Tensor:
        """F(q) = sum of f(|q|) exp(-2 pi i q.r) over the atoms of each structure.

        Args:
            atoms: Atoms of B structures around the origin.
            extent: Largest distance of two atoms; m.

        Returns:
            (B, H, W) complex64; electrons.
        """
        grid = self._grid(extent, atoms.position.device)
        spectrum = self._on_grid(atoms, grid)
        wave = torch.fft.ifft2(spectrum) * self._compensation(grid, atoms.position.device)
        padded = _pad_unshifted(wave, grid.fine)
        fine = torch.fft.fft2(padded)
        table = torch.view_as_real(fine.flatten(1)).permute(1, 0, 2).flatten(1)  # (fine^2, 2 B)
        read = F.embedding_bag(grid.taps, table, mode="sum", per_sample_weights=grid.weights)
        return torch.view_as_complex(read.view(*self.experiment.shape, -1, 2).permute(2, 0, 1, 3).contiguous())

    def _grid(self, extent: float, device: torch.device) -> EwaldGrid:
        """Grids of an extent (m), rounded up so that few grids serve all structures."""
        rounded = 2 ** (math.ceil(_STEPS * math.log2(max(extent, 1e-9))) / _STEPS)
        key = rounded, str(device)
        if key not in self._grids:
            grid = ewald_grid(self.experiment, rounded, self.kernel)
            self._grids[key] = replace(grid, taps=grid.taps.to(device), weights=grid.weights.to(device))
        return self._grids[key]

    def _on_grid(self, atoms: AtomBatch, grid: EwaldGrid) -> Tensor:
        """F on the regular grid of kept transverse frequencies, each on the sphere; (B, kept, kept)."""
        device = atoms.position.device
        elements, of_atom = torch.unique(atoms.atomic_number, return_inverse=True)
        used, row = torch.unique(atoms.owner * len(elements) + of_atom, return_inverse=True)
        scale = torch.tensor([grid.plane, grid.cell, grid.cell], device=device)
        points = splat(atoms.position / scale, row, len(used), (grid.planes, grid.edge, grid.edge), self.kernel)
        half = grid.kept // 2
        columns = torch.fft.rfft2(points)[..., : half + 1]
        spectra = torch.cat([columns[..., :half, :], columns[..., -half:, :]], dim=-2)
        q_y, q_x, q_z = self._frequencies(grid, device)
        cosine, sine = self._planes(grid, q_z)
        length = (q_y[:, None].square() + q_x.square() + q_z.square()).sqrt()
        total = spectra.new_zeros(2, atoms.structures, grid.kept, half + 1)
        for number, element in enumerate(elements.tolist()):  # elements, ten at most, not patterns
            rows = (used % len(elements) == number).nonzero()[:, 0]
            factor = form_factor(element, length)
            for part, phase in zip(total, (cosine, sine), strict=True):
                part.index_add_(0, used[rows] // len(elements), _sum_planes(spectra[rows], phase) * factor)
        window = self.kernel.transform(q_y * grid.cell)[:, None] * self.kernel.transform(q_x * grid.cell)
        fade = _checkered(q_y, q_x, grid) * self._fade(q_y, grid)[:, None] * self._fade(q_x, grid)
        return _whole_plane(total / window * fade)

    def _frequencies(self, grid: EwaldGrid, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Transverse frequencies (kept,) and (kept / 2 + 1,), and the depth of the sphere below them; 1/m."""
        step, half = 1 / (grid.edge * grid.cell), grid.kept // 2
        q_y = torch.fft.fftfreq(grid.kept, 1 / grid.kept).to(device) * step
        q_x = torch.arange(half + 1, device=device) * step
        inverse = 1 / self.experiment.wavelength
        transverse = (q_y[:, None].square() + q_x.square()).clamp_max(0.999 * inverse**2)
        return q_y, q_x, -transverse / (inverse + (inverse**2 - transverse).sqrt())

    def _fade(self, frequency: Tensor, grid: EwaldGrid) -> Tensor:
        """Window of transverse frequencies (...), 1/m: 1 on the detector, smoothly to 0 at the end of the kept ones."""
        beyond = grid.kept // 2 - (frequency.abs() * grid.edge * grid.cell)
        step: Tensor = torch.special.erf((beyond / _TAPER * 2 - _FADE[0]) * _FADE[1])
        return step / 2 + 0.5

    def _planes(self, grid: EwaldGrid, q_z: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of 2 pi q_z z on every plane, the kernel along z taken out; (planes, kept, kept / 2 + 1)."""
        z = (torch.arange(grid.planes, device=q_z.device) - grid.planes // 2) * grid.plane
        phase = 2 * math.pi * z[:, None, None] * q_z
        kernel = self.kernel.transform((q_z * grid.plane).clamp_min(-0.3))
        return phase.cos() / kernel, phase.sin() / kernel

    def _compensation(self, grid: EwaldGrid, device: torch.device) -> Tensor:
        """Correction in advance of the attenuation by interpolation with the kernel; (kept, kept)."""
        position = torch.fft.fftfreq(grid.kept, 2.0, device=device)  # in units of the fine field
        along = 1 / self.kernel.transform(position)
        return along[:, None] * along


def _sum_planes(spectra: Tensor, phase: Tensor) -> Tensor:
    """Sum over the planes of (R, P, h, w) complex times (P, h, w) real."""
    return torch.view_as_complex((torch.view_as_real(spectra) * phase[..., None]).sum(1))


def _checkered(q_y: Tensor, q_x: Tensor, grid: EwaldGrid) -> Tensor:
    """Phase that moves the origin of the splatting grid from edge // 2 to 0: +1 and -1."""
    step = 1 / (grid.edge * grid.cell)
    number = (q_y / step).round()[:, None] + (q_x / step).round()
    return 1 - 2 * (number % 2)


def _whole_plane(parts: Tensor) -> Tensor:
    """F(q) of all q_x from sums C, S of real planes for q_x >= 0: C - i S, and (C + i S)* at -q; (B, kept, kept)."""
    cosine, sine = parts
    kept = cosine.shape[-2]
    right = cosine - 1j * sine
    left = (cosine + 1j * sine).conj()
    mirrored = torch.roll(left.flip(-2), 1, -2)[..., 1 : kept // 2].flip(-1)
    return torch.cat([right, mirrored], dim=-1)


def _pad_unshifted(wave: Tensor, edge: int) -> Tensor:
    """Zero padding between the corners of images (..., n, n) with origin at index 0."""
    half = wave.shape[-1] // 2
    padded = wave.new_zeros(*wave.shape[:-2], edge, edge)
    for rows in (slice(0, half), slice(-half, None)):
        for columns in (slice(0, half), slice(-half, None)):
            padded[..., rows, columns] = wave[..., rows, columns]
    return padded
