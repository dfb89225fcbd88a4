"""Field names of batches and files, with shape, dtype and unit.

A batch is a plain dict from these names to tensors; files store the same names as data sets. N counts patterns, B the
patterns of one batch, H and W the detector rows and columns.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from torch import Tensor

Batch = dict[str, Tensor]


class Kind(IntEnum):
    """What caused a pattern: the five classes of Han & Li (2017), Sect. 3, in their order, and contaminants."""

    SINGLE = 0
    DOUBLE = 1
    TRIPLE = 2
    QUADRUPLE = 3
    MANY = 4
    CONTAMINANT = 5


@dataclass(frozen=True)
class Field:
    """A named quantity.

    Attributes:
        name: Key in a batch and name of the data set in a file.
        shape: Shape in a file of N patterns, in words; where it differs, that in a batch of B.
        dtype: NumPy name of its number type.
        unit: Physical unit, "1" for a pure number.
        meaning: Definition of the quantity in words.
    """

    name: str
    shape: str
    dtype: str
    unit: str
    meaning: str


PHOTONS: Final = "photons"
MASK: Final = "mask"
IS_SINGLE_HIT: Final = "is_single_hit"
KIND: Final = "kind"
PARTICLE_COUNT: Final = "particle_count"
PARTICLE_ID: Final = "particle_id"
BODY: Final = "body"
DIAMETER: Final = "diameter"
ORIENTATION: Final = "orientation"
FLUENCE: Final = "fluence"
PHOTON_COUNT: Final = "photon_count"
PHOTON_ENERGY: Final = "photon_energy"
DISTANCE: Final = "distance"
PIXEL_SIZE: Final = "pixel_size"
BEAM_CENTRE: Final = "beam_centre"
SEED: Final = "seed"
INTENSITY: Final = "intensity"
DENSITY: Final = "density"
SUPPORT: Final = "support"
KNOWN_SUPPORT: Final = "known_support"
STRUCTURE: Final = "structure"
AMPLITUDE: Final = "amplitude"
PHASE: Final = "phase"
FOURIER_AMPLITUDE: Final = "fourier_amplitude"
HELD_OUT: Final = "held_out"
FEATURES: Final = "features"
LOGITS: Final = "logits"
CLASS_PROBABILITY: Final = "class_probability"
FRAME: Final = "frame"
SCORE: Final = "score"
PROBABILITY: Final = "probability"
DECISION: Final = "decision"
ABSTAIN: Final = "abstain"
DISTANCE_FROM_TRAINING: Final = "distance_from_training"

FRAME_PHOTONS: Final = "photons"  # a column; PHOTONS are the counts of all pixels
LIT_PIXELS: Final = "lit_pixels"
PHOTON_EXCESS: Final = "photon_excess"
LIT_EXCESS: Final = "lit_excess"
IS_HIT: Final = "is_hit"
BEAM_ROW: Final = "beam_row"
BEAM_COLUMN: Final = "beam_column"
SYMMETRY: Final = "symmetry"
DIAMETER_NM: Final = "diameter_nm"
SPHERE_QUALITY: Final = "sphere_quality"
AREA: Final = "area"
CENTROSYMMETRY: Final = "centrosymmetry"
TRUE_CENTROSYMMETRY: Final = "true_centrosymmetry"
FALSE_NEGATIVES: Final = "false_negatives"
FALSE_POSITIVES: Final = "false_positives"

FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field(PHOTONS, "(N, H, W); in a batch (B, 1, H, W)", "float32", "photons", "counts, 0 where mask is False"),
        Field(MASK, "(H, W); in a batch (B, 1, H, W)", "bool", "1", "True where the detector measured"),
        Field(IS_SINGLE_HIT, "(N,)", "int64", "1", "1: one intact particle, bright enough to use; 0: not; -1: unknown"),
        Field(KIND, "(N,)", "int64", "1", "what caused the pattern, a value of Kind; -1: unknown"),
        Field(PARTICLE_COUNT, "(N,)", "int64", "1", "particles in the beam"),
        Field(PARTICLE_ID, "(N,)", "int64", "1", "model or run the pattern came from; splits never divide one"),
        Field(
            BODY,
            "(N,)",
            "int64",
            "1",
            "index of the body in simulate.projection.BODIES, then in the set's shapes",
        ),
        Field(DIAMETER, "(N,)", "float32", "m", "diameter of the sphere of the (first) particle's volume"),
        Field(ORIENTATION, "(N, 4)", "float32", "1", "unit quaternion w, x, y, z, body to laboratory"),
        Field(FLUENCE, "(N,)", "float32", "photons/m^2", "incident photons per area at the particle"),
        Field(PHOTON_COUNT, "(N,)", "float32", "photons", "expected photons scattered by the particle into the mask"),
        Field(PHOTON_ENERGY, "(N,)", "float32", "eV", "photon energy"),
        Field(DISTANCE, "(N,)", "float32", "m", "particle to detector"),
        Field(PIXEL_SIZE, "(N,)", "float32", "m", "pixel edge"),
        Field(BEAM_CENTRE, "(N, 2)", "float32", "pixel", "row, column where the direct beam meets the detector"),
        Field(SEED, "(N,)", "int64", "1", "seed of the block in which the pattern was drawn"),
        Field(INTENSITY, "(N, ...)", "float32", "photons", "expected or counted photons of a pattern, 2D or 3D"),
        Field(DENSITY, "(N, ...)", "float32 or complex64", "1", "(projected) density, its largest absolute value 1"),
        Field(SUPPORT, "(N, ...)", "bool", "1", "True inside the particle"),
        Field(KNOWN_SUPPORT, "in a batch (B, 1, H, W)", "bool", "1", "where the particle is known to be"),
        Field(STRUCTURE, "(N,)", "int64", "1", "index of the sequence-distinct structure of the density"),
        Field(AMPLITUDE, "(N, z, y, x)", "float32", "1", "|density|, largest value 1"),
        Field(PHASE, "(N, z, y, x)", "float32", "rad", "arg of the density, 0 outside the support"),
        Field(FOURIER_AMPLITUDE, "in a batch (B, 1, Z, Y, X)", "float32", "sqrt(photons)", "root of the intensity"),
        Field(HELD_OUT, "in a batch (B, 1, Z, Y, X)", "bool", "1", "measured but left out of a fit, to evaluate it"),
        Field(FEATURES, "(N, d)", "float32", "1", "penultimate values of a network"),
        Field(LOGITS, "(N,) or (N, 5)", "float32", "1", "output of a classifier before sigmoid or softmax"),
        Field(CLASS_PROBABILITY, "(N, 5)", "float32", "1", "calibrated probability of each kind of hit"),
        Field(FRAME, "(N,)", "int64", "1", "index of the pattern in its file or list of files"),
        Field(SCORE, "(N,)", "float32", "1", "a method's uncalibrated probability of a single hit"),
        Field(PROBABILITY, "(N,)", "float32", "1", "calibrated probability of a single hit"),
        Field(DECISION, "(N,)", "int64", "1", "1: classified as a single hit"),
        Field(ABSTAIN, "(N,)", "bool", "1", "True: too uncertain to decide"),
    )
}
"""Quantities of batches and files by name; a data set of this name in a file has this meaning."""

COLUMNS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field(FRAME_PHOTONS, "(N,)", "float32", "photons", "counts of a frame, summed over the measured pixels"),
        Field(LIT_PIXELS, "(N,)", "float32", "pixel", "measured pixels with a photon or more"),
        Field(PHOTON_EXCESS, "(N,)", "float32", "standard deviations", "photons above the frame's own background"),
        Field(LIT_EXCESS, "(N,)", "float32", "standard deviations", "lit pixels above the frame's own background"),
        Field(IS_HIT, "(N,)", "bool", "1", "True: both excesses above hits.threshold, so something was in the beam"),
        Field(BEAM_ROW, "(N,)", "float32", "pixel", "row of the centre of inversion symmetry; NaN: not found"),
        Field(BEAM_COLUMN, "(N,)", "float32", "pixel", "column of the centre of inversion symmetry; NaN: not found"),
        Field(SYMMETRY, "(N,)", "float32", "1", "correlation of a pattern with its inverse about that centre"),
        Field(DIAMETER_NM, "(N,)", "float32", "nm", "diameter of the fitted sphere; NaN: no good fit"),
        Field(SPHERE_QUALITY, "(N,)", "float32", "1", "share of the squared amplitudes that a sphere explains"),
        Field(
            DISTANCE_FROM_TRAINING,
            "(N,)",
            "float32",
            "1",
            "how unlike a network's training patterns; 99 % of those: < 1",
        ),
        Field(AREA, "(N,)", "float32", "pixel", "pixels of a support"),
        Field(CENTROSYMMETRY, "(N,)", "float32", "1", "share of a support inside itself, turned by 180 degrees"),
        Field(TRUE_CENTROSYMMETRY, "(N,)", "float32", "1", "centrosymmetry of the true support"),
        Field(FALSE_NEGATIVES, "(N,)", "float32", "pixel", "pixels of the true support that an answer leaves out"),
        Field(FALSE_POSITIVES, "(N,)", "float32", "pixel", "pixels of an answer outside the true support"),
    )
}
"""Numbers measured of each pattern or answer by name: columns of results and of predictions.csv."""
