"""Files of earlier runs in a folder: protection against overwriting and against mixing of results."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from spi_lightning.errors import UserError
from spi_lightning.files import write_json, write_text
from spi_lightning.notes import Note
from spi_lightning.results.training import CONFIG, LOG, METRICS, VERSIONS

from .run_folder import versions

TRAINING, EVALUATION, PHASING = "training", "evaluation", "phasing"
_KINDS: Final = {TRAINING: "trainer", EVALUATION: "methods", PHASING: "phasing", "orientation": "rings"}
_FILES: Final = (
    METRICS,
    "evaluation.json",
    "predictions.h5",
    "predictions.csv",
    "supports.h5",
    "volumes.h5",
    "report.html",
)
_OF_PHASING: Final = (
    METRICS,
    "phasing.h5",
    "result.cxi",
    "report.html",
    *(f"laboratory.{ending}" for ending in ("cxi", "vti", "mrc", "npz")),
)
_SUBJECT: Final = ("data.path", "data._target_", "methods", "checkpoint")
"""Settings that say of what an evaluation is; one of others does not take its place unasked."""
_SELECTION: Final = ("index.txt", "selected.cxi", "selected.emc", "detector.h5")
_DENSITIES: Final = (".cxi", ".vti", ".mrc", ".npz")


def require_free(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder whose earlier results a run of these settings would overwrite.

    Raises:
        UserError: The folder holds a run of another kind, an earlier training that is not resumed, checkpoints, or
            files of another program under the names of this one.
    """
    if any(folder.glob("*.ckpt")):
        raise UserError(f"folder={folder}: holds the checkpoints of a run; give another folder with out=")
    if not (folder / CONFIG).is_file():
        besides = _OF_PHASING if _kind(config) == PHASING else ()
        foreign = [name for name in dict.fromkeys((VERSIONS, LOG, *_FILES, *besides)) if (folder / name).exists()]
        if foreign and not _is_resumed(folder, config.get("resume")):
            raise UserError(
                f"folder={folder}: holds {foreign[0]} of no run that has a {CONFIG}, which would be overwritten; give "
                "another folder with out="
            )
        return
    there, ours = _kind_of_file(folder / CONFIG), _kind(config)
    if there != ours:
        what = f"the {there} of an earlier run" if there else f"a {CONFIG} that is of no run of this program"
        raise UserError(
            f"folder={folder}: holds {what}, whose {CONFIG} and numbers this {ours or 'run'} would overwrite; "
            "give another folder with out="
        )
    if ours == EVALUATION and not config.get("overwrite") and (other := _other_subject(folder, config)):
        raise UserError(
            f"folder={folder}: holds an evaluation of {other}; overwrite=true replaces it, out= names another folder"
        )
    if ours == TRAINING and not _is_resumed(folder, config.get("resume")) and _was_trained(folder):
        raise UserError(
            f"folder={folder}: holds an earlier training; resume={folder} goes on with it, and a new one takes another "
            "folder, out="
        )


def _other_subject(folder: Path, config: Mapping[str, Any]) -> str:
    """Setting in which the results in a folder are of something else than those of a configuration; else empty."""
    if not any((folder / name).is_file() for name in _FILES):
        return ""
    try:
        there = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        values = ((key, _value(there, key), _value(config, key)) for key in _SUBJECT)
        other = (f"{key}={old}, not {new}" for key, old, new in values if old not in (None, new))
        return next(other, "").replace("'", "")
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError):  # not readable: another's file
        return ""


def _value(config: Any, key: str) -> Any:
    """Value of a setting by its full name; a list of one as that one, null where there is none."""
    for part in key.split("."):
        config = (config or {}).get(part)
    return config[0] if isinstance(config, list) and len(config) == 1 else config or None


def record_run(folder: Path, config: Mapping[str, Any], text: str, words: Sequence[str]) -> None:
    """Write the settings and the versions of a run into its folder; of the processes of a run the first one writes.

    Results of an earlier evaluation or phasing are removed, so that they are not taken for the new ones.

    Args:
        folder: Run folder to examine.
        config: Resolved settings, plain containers.
        text: The same as YAML.
        words: Overrides of the command that began the run.

    Raises:
        UserError: As require_free.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        require_free(folder, config)
        clear_earlier(folder)
        write_text(folder / CONFIG, text)
        write_json(folder / VERSIONS, {"overrides": list(words), **versions()})


def earlier_notes(folder: Path) -> list[Note]:
    """Note before the run that clear_earlier will remove results of an earlier evaluation or phasing."""
    kind = _kind_of_file(folder / CONFIG) if (folder / CONFIG).is_file() else None
    files = {EVALUATION: _FILES, PHASING: ("result.cxi", *_OF_PHASING)}.get(str(kind), ())
    there = next((folder / name for name in files if (folder / name).is_file()), None)
    if there is None:
        return []
    date = datetime.fromtimestamp(there.stat().st_mtime).astimezone()
    return [
        Note.warning(
            f"folder={folder}: holds an earlier {kind}, which this one replaces ({there.name} of "
            f"{date:%Y-%m-%d %H:%M}); to keep it, give another folder with out="
        )
    ]


def clear_earlier(folder: Path) -> None:
    """Remove the files of an earlier evaluation or phasing, so that they do not mix with new results."""
    kind = _kind_of_file(folder / CONFIG) if (folder / CONFIG).is_file() else None
    for name in {EVALUATION: _FILES, PHASING: _OF_PHASING}.get(str(kind), ()):
        (folder / name).unlink(missing_ok=True)
    if kind != EVALUATION:
        return
    for selection in (folder / "selection" / "common", folder / "selection"):
        for name in _SELECTION:
            (selection / name).unlink(missing_ok=True)
        _remove_if_empty(selection)
    densities = folder / "densities"
    for each in densities.glob("*/*"):
        if each.suffix in _DENSITIES:
            each.unlink(missing_ok=True)
    for each in (*densities.glob("*"), densities):
        _remove_if_empty(each)


def _is_resumed(folder: Path, resume: str | None) -> bool:
    """Whether the resumed run, named by its folder or a checkpoint, is that of this folder."""
    named = Path(resume).resolve() if resume else None
    return named is not None and folder.resolve() in (named, *list(named.parents)[:2])


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _was_trained(folder: Path) -> bool:
    return (folder / LOG).is_file() or any(folder.glob("checkpoints/*.ckpt"))


def _kind(config: Mapping[str, Any]) -> str | None:
    """Kind of run of a configuration, by a setting that only one command has."""
    return next((kind for kind, key in _KINDS.items() if key in config), None)


def _kind_of_file(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8") as file:
            return _kind(_settings_of(yaml.parse(file, Loader=yaml.SafeLoader)))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _settings_of(events: Iterable[Any]) -> dict[str, None]:
    """Names of the outermost settings of a YAML file, from its events alone, whatever tags and anchors it has."""
    names: dict[str, None] = {}
    level, is_name = 0, True
    for event in events:
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level != 1 or isinstance(event, yaml.MappingStartEvent):
            continue
        if isinstance(event, yaml.SequenceStartEvent):
            break
        if is_name and isinstance(event, yaml.ScalarEvent):
            names[event.value] = None
        is_name = not is_name
    return names
