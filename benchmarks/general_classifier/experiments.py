"""Settings and seeds of the twelve test experiments, fixed before any general network was trained.

Training draws of a general network are 64 x 64 cells of ``simulate=general``: bodies of the package's simulator, drawn
masks and backgrounds, a speckle of 6 cells. Every experiment here differs from all of them in the trait it names.
Single hits and other hits come equally often; blanks are extra. Far pairs are only drawn where the detector resolves
their fringes (a period of 2.5 pixels or more), and photons only so few that a physicist can still tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Range = tuple[float, float]

ROUND: Final = {
    "other_size": 1.0,
    "droplet": 1.0,
    "elongated": 1.0,
    "satellite": 1.0,
    "aggregate": 1.0,
    "far_pair": 1.0,
}
LONG: Final = {**ROUND, "elongated": 0.0, "other_size": 0.5}  # of bodies that are elongated themselves
CLOSE: Final = {**ROUND, "far_pair": 0.0}  # of detectors that do not resolve the fringes of far pairs


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One test experiment.

    Attributes:
        name: Name of the experiment and of its file.
        seed: Seed of everything that is drawn.
        trait: What no training draw has.
        generator: Module that draws the patterns: ``simulator`` (the package's, at detector pixels), ``form_factors``
            (written independently, NumPy) or ``dragonfly`` (Dragonfly's own).
        detector: Name of a function of detectors.py, which gives the mask.
        beam: Row and column of the beam, pixel.
        facility: Layout of the file: ``cxi``, ``cxi_adu``, ``nexus``, ``plain`` (no geometry) or ``plain_mask``.
        frames: Number of frames.
        blanks: Share of frames with background alone.
        photon_energy: Photon energy, eV.
        pixel_size: Pixel edge, m.
        diameter: Range of the diameter of the sphere of equal volume of the usual particle, m, log-uniform.
        speckle: Width of a speckle of the middle diameter, pixel; it sets the distance.
        bodies: Weight of each body of the usual particle, by the names of the generator.
        photons: Range of the scattered photons in the measured pixels, log-uniform.
        flat: Range of the background, photons per pixel, log-uniform.
        halo: Median photons of the halo around the beam.
        halo_radius: Decay length of the halo, pixel.
        contaminants: Weight of each kind of contaminant.
        separation: Range of the distance of far pairs over the diameter.
        spread: Standard deviation of the logarithm of the stretch of the usual particle.
        core: Share of usual particles with a core of other density.
        adu_per_photon, noise: Gain, ADU per photon, and readout noise, ADU, of files in detector units; 0: photons.
        structure: Entry of the protein data bank.
    """

    name: str
    seed: int
    trait: str
    generator: str
    detector: str
    beam: tuple[float, float]
    facility: str
    frames: int
    blanks: float
    photon_energy: float
    pixel_size: float
    diameter: Range
    speckle: float
    photons: Range
    bodies: Mapping[str, float] = field(default_factory=dict)
    flat: Range
    halo: float = 0.0
    halo_radius: Range = (10.0, 20.0)
    contaminants: Mapping[str, float] = field(default_factory=lambda: ROUND)
    separation: Range = (1.5, 2.5)
    spread: float = 0.06
    core: float = 0.0
    adu_per_photon: float = 0.0
    noise: float = 0.0
    structure: str = ""

    @property
    def wavelength(self) -> float:
        """Photon wavelength, m."""
        return 1.239841984e-6 / self.photon_energy

    @property
    def middle(self) -> float:
        """Geometric mean of the bounds of the diameter, m."""
        return float((self.diameter[0] * self.diameter[1]) ** 0.5)

    @property
    def distance(self) -> float:
        """Particle to detector, m, at which a speckle has its width: speckle x diameter x pixel / wavelength."""
        return self.speckle * self.middle * self.pixel_size / self.wavelength


EXPERIMENTS: Final = (
    Experiment(
        name="pnccd_tori_500nm", seed=170101, generator="simulator",
        trait="tori of 500 nm; pnCCD of 1024 x 1024 pixels in ADU; speckle of 20 pixels",
        detector="pnccd", beam=(498.0, 530.0), facility="cxi_adu", frames=400, blanks=0.1,
        photon_energy=800.0, pixel_size=75e-6, diameter=(4.6e-7, 5.4e-7), speckle=20.0,
        bodies={"torus": 1.0}, photons=(2e4, 1e6), flat=(5e-4, 4e-3), halo=2000.0, halo_radius=(30.0, 80.0),
        contaminants=LONG, separation=(1.5, 6.0), adu_per_photon=32.0, noise=3.5,
    ),
    Experiment(
        name="agipd_virus", seed=170102, generator="simulator",
        trait="gaps, panels and bad pixels of an assembled AGIPD 1M",
        detector="agipd", beam=(-1.0, -1.0), facility="cxi", frames=400, blanks=0.3,
        photon_energy=6000.0, pixel_size=2e-4, diameter=(6.4e-8, 7.6e-8), speckle=36.0, core=0.5,
        bodies={"icosahedron": 0.7, "dodecahedron": 0.3}, photons=(1.5e3, 3e4), flat=(1e-4, 8e-4),
        separation=(1.5, 4.5),
    ),
    Experiment(
        name="jungfrau_cubes", seed=170103, generator="simulator",
        trait="two Jungfrau modules with a gap of five speckles beside the beam, metal cubes, 9 keV",
        detector="jungfrau", beam=(573.0, 470.0), facility="nexus", frames=400, blanks=0.2,
        photon_energy=9000.0, pixel_size=75e-6, diameter=(3.6e-8, 4.4e-8), speckle=7.0, spread=0.03,
        bodies={"cube": 1.0}, photons=(2e3, 5e4), flat=(1e-4, 5e-4), separation=(1.5, 2.8),
    ),
    Experiment(
        name="epix_rods", seed=170104, generator="simulator",
        trait="rods of four diameters; ePix with the beam off its centre, no geometry in the file",
        detector="epix", beam=(131.0, 249.0), facility="plain_mask", frames=400, blanks=0.2,
        photon_energy=7000.0, pixel_size=1e-4, diameter=(5.4e-8, 6.6e-8), speckle=9.0,
        bodies={"rod": 1.0}, photons=(4e3, 1e5), flat=(2e-4, 1e-3), contaminants=LONG, separation=(2.0, 3.6),
    ),
    Experiment(
        name="small_64x48", seed=170105, generator="simulator",
        trait="64 x 48 pixels, speckle of 3 pixels, neither mask nor geometry",
        detector="whole_64x48", beam=(30.5, 24.8), facility="plain", frames=600, blanks=0.1,
        photon_energy=1200.0, pixel_size=6e-4, diameter=(9e-8, 1.1e-7), speckle=3.0,
        bodies={"cuboctahedron": 0.5, "truncated_octahedron": 0.5}, photons=(2e3, 5e4), flat=(0.02, 0.1),
        contaminants=CLOSE,
    ),
    Experiment(
        name="large_2048", seed=170106, generator="simulator",
        trait="2048 x 2048 pixels, speckle of 40 pixels, beam off centre",
        detector="large", beam=(890.0, 1130.0), facility="nexus", frames=400, blanks=0.2,
        photon_energy=4000.0, pixel_size=75e-6, diameter=(2.2e-8, 2.8e-8), speckle=40.0, spread=0.1,
        bodies={"octahedron": 0.6, "tetrahedron": 0.4}, photons=(5e3, 2e5), flat=(3e-5, 3e-4), halo=500.0,
        halo_radius=(60.0, 120.0), separation=(1.5, 8.0),
    ),
    Experiment(
        name="blanks_90", seed=170107, generator="simulator",
        trait="nine frames of ten are blank; the mask of a real Maxipix",
        detector="maxipix", beam=(281.0, 240.0), facility="cxi", frames=1500, blanks=0.9,
        photon_energy=2000.0, pixel_size=5.5e-5, diameter=(8e-8, 1e-7), speckle=10.0, core=0.5,
        bodies={"dodecahedron": 0.5, "icosahedron": 0.5}, photons=(2e3, 1e5), flat=(5e-4, 3e-3), halo=150.0,
        halo_radius=(8.0, 16.0), separation=(1.5, 4.0),
    ),
    Experiment(
        name="weak_cspad", seed=170108, generator="simulator",
        trait="100 to 1000 photons; the pixels of a real CSPAD 140k, the beam in the middle of one chip",
        detector="cspad", beam=(306.0, 98.0), facility="cxi", frames=600, blanks=0.2,
        photon_energy=5500.0, pixel_size=1.1e-4, diameter=(2.7e-8, 3.3e-8), speckle=10.0,
        bodies={"icosahedron": 0.6, "truncated_icosahedron": 0.4}, photons=(100.0, 1000.0), flat=(3e-5, 3e-4),
        contaminants={**ROUND, "satellite": 0.3}, separation=(1.5, 4.0),
    ),
    Experiment(
        name="core_shell_12kev", seed=170109, generator="form_factors",
        trait="other generator: core-shell spheres and ellipsoids of 15 nm at 12 keV, curved Ewald sphere",
        detector="eiger", beam=(243.0, 540.0), facility="nexus", frames=600, blanks=0.2,
        photon_energy=12000.0, pixel_size=7.5e-5, diameter=(1.4e-8, 1.6e-8), speckle=8.0,
        bodies={"core_shell": 0.5, "ellipsoid": 0.3, "sphere": 0.2}, photons=(600.0, 2e4), flat=(5e-5, 3e-4),
        halo=60.0, halo_radius=(20.0, 40.0), separation=(1.5, 3.2),
    ),
    Experiment(
        name="bricks_250ev", seed=170110, generator="form_factors",
        trait="other generator: bricks and cylinders of 120 nm at 250 eV, angles up to 40 degrees",
        detector="half_circle", beam=(131.0, 122.0), facility="plain_mask", frames=600, blanks=0.2,
        photon_energy=250.0, pixel_size=3e-4, diameter=(1.1e-7, 1.3e-7), speckle=6.0,
        bodies={"brick": 0.6, "cylinder": 0.4}, photons=(2e3, 1e5), flat=(2e-3, 2e-2), halo=300.0,
        halo_radius=(10.0, 30.0), separation=(1.5, 2.4),
    ),
    Experiment(
        name="dragonfly_hemocyanin", seed=170111, generator="dragonfly",
        trait="Dragonfly's generator: hemocyanin (4bed), its own detector and background",
        detector="dragonfly", beam=(-1.0, -1.0), facility="plain_mask", frames=400, blanks=0.0,
        photon_energy=3000.0, pixel_size=3e-4, diameter=(2.3e-8, 2.3e-8), speckle=8.0, structure="4bed",
        photons=(800.0, 8e3), flat=(1e-2, 1e-2),
    ),
    Experiment(
        name="dragonfly_complex", seed=170112, generator="dragonfly",
        trait="Dragonfly's generator: a complex of 15 protein chains (4yvs)",
        detector="dragonfly", beam=(-1.0, -1.0), facility="plain_mask", frames=400, blanks=0.0,
        photon_energy=4500.0, pixel_size=3e-4, diameter=(1.5e-8, 1.5e-8), speckle=7.0, structure="4yvs",
        photons=(1500.0, 1e4), flat=(1e-2, 1e-2),
    ),
)  # fmt: skip
"""All experiments, in the order of the table."""
