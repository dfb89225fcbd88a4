"""Types of the apps' own settings where the value in conf/ does not show them: null, text or a list there."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

_TEXT: Final = str | None
_EMBEDDING: Final = Literal["pca", "tsne"]
_NAMES: Final = str | Sequence[str]
_KEYS: Final = {f"data.keys.{name}": _TEXT for name in ("photons", "label", "mask", "particle_id", "index")}

SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "train": {"name": str | float, "resume": _TEXT, "checkpoint": _TEXT, "trust": _NAMES | None},
    "evaluate": {
        "name": str | float,
        "methods": _NAMES,
        "checkpoint": _NAMES | None,
        "trust": _NAMES | None,
        "cache": _TEXT,
        "views": Literal["none", "flips", "dihedral"] | None,
        "preprocess.crop": int | None,
        "preprocess.bin": int | None,
        "training_labels.per_class": int | None,
        "training_labels.frames": Sequence[int],
        "data.exclude": Sequence[int] | None,
        "selection.method": _TEXT,
        "report.embedding": _EMBEDDING,
    },
    "phase": {
        "name": str | float,
        "trust": _NAMES | None,
        "phasing.recipe": str,
        "phasing.constraint": str,
        "polish_steps": int | Literal["auto"],
        "point_spread": float | None,
    },
    "orient": {
        **_KEYS,
        "name": str | float,
        "data.path": _TEXT,
        "data.adu_per_photon": float | None,
        "detector.distance": float | None,
        "detector.pixel_size": float | None,
        "detector.beam_centre": tuple[float, float] | None,
        "crop": int | None,
        "rings.inner": float | None,
        "rings.outer": float | None,
        "emc.beta_schedule": str | float,
        "keep": Literal["last", "all"],
        "control": _TEXT,
        "dragonfly": _TEXT,
        "threads": int | None,
        "output": _TEXT,
        "quaternions": _TEXT,
    },
    "report": {"embedding": _EMBEDDING},
    "simulate": {"path": str},
}
