"""The settings of a run that is taken up again: its own, and over them only what the command line says besides."""

import json
import logging
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.tasks import find_checkpoint, read_checkpoint
from spi_lightning.tasks.checkpoint import BEST, LAST, require_whole, run_of
from spi_lightning.tasks.registry import RUN_PARTS, registered
from spi_lightning.tracking import LOG, VERSIONS

from .plain_words import quoted
from .resolved import resolved
from .signatures import with_defaults

FIXED = ("task", "network", "preprocess", "loss", "optimizer", "schedule")  # what weights and optimiser state belong to
BUILT = ("task", "data", "trainer", "callbacks")  # what a run cannot be without
WRITES = ("folder", "dirpath", "default_root_dir", "save_dir", "log_dir")  # in them a run writes
_ABSENT = object()
_MOST_STEPS = 2**53
_RESTORES = ("restore", "_restore", "on_load_checkpoint")  # functions of Lightning, by how their names begin
_OPTIMISER = Path(torch.optim.__file__).parent
_log = logging.getLogger(__name__)


def resumed_settings(cfg: DictConfig) -> DictConfig:
    """Settings to go on with: cfg itself where nothing is resumed.

    The base is the resolved configuration inside the run's last checkpoint, which is that of its config.yaml. Laid over
    it is every value that the words of the command line change, wherever interpolation carries it. Outside hydra.main,
    as in tests, cfg is taken as it is. The checkpoint decides what is trained, the command alone where it is written.

    Raises:
        UserError: No checkpoint, one that names what no run is made of (see tasks.registry), or a part that the weights
            or the state of the optimiser belong to would change. Nothing has been written by then.
    """
    if cfg.resume is None:
        return cfg
    path = last_of(cfg.resume)
    stored = read_checkpoint(path)["config"]
    if stored is None:
        raise UserError(f"resume={cfg.resume}: its checkpoint has no configuration; it was not written by train.py.")
    if lacking := [group for group in BUILT if not isinstance(stored.get(group), dict)]:
        raise UserError(f"{path}: its configuration has no settings of {lacking[0]}; it was not written by train.py")
    stored, said = writing_here(stored, cfg), command_words()
    settings = resolved(cfg) if said is None else _laid_over(stored, *_compositions(cfg, said))
    for group in FIXED:
        there, here = (with_defaults(each.get(group, {})) for each in (stored, settings))
        for key, old, new in _differences(there, here, group):
            raise UserError(
                f"resume={cfg.resume}: {key} is {_shown(old)} in that run and {_shown(new)} here, and a run goes on "
                f"with what it began with; checkpoint={cfg.resume} starts a new run from its weights."
            )
    settings |= {"resume": str(cfg.resume), "folder": str(cfg.folder), "trust": resolved(cfg, whole=False)["trust"]}
    checked = registered(settings, str(path), RUN_PARTS)
    return cast(DictConfig, OmegaConf.create(checked))


def last_of(resume: str, say: bool = False) -> Path:
    """The checkpoint to go on from: the file named, or the last one of a run folder; where damaged, the one before.

    Args:
        resume: Run folder or checkpoint.
        say: Warn of a damaged one that is passed over.

    Raises:
        UserError: There is none, or all are damaged.
    """
    named = [Path(resume)] if Path(resume).is_file() else []
    found = [path for path in (*named, run_of(resume) / LAST, run_of(resume) / BEST) if path.is_file()]
    damage: UserError | None = None
    for path in found:
        try:
            require_whole(path)
        except UserError as error:
            damage = damage or error
        else:
            if damage and say:
                _log.warning("%s The run goes on from %s instead.", f"{damage}".rstrip(".") + ".", path)
            return path
    if damage:
        raise damage
    return find_checkpoint(resume, "resume")


@dataclass(frozen=True)
class Resumed:
    """Where a run is taken up.

    Args:
        path: Its checkpoint.
        steps: Rows of metrics.csv before this step belong to what the checkpoint holds.
        optimiser_steps: Done by then.
        epoch_row: Numbers of an epoch that ended with the checkpoint, see callbacks.SaveConfig.
    """

    path: Path
    steps: int
    optimiser_steps: int
    epoch_row: dict[str, Any]

    @classmethod
    def of(cls, resume: str | None) -> "Resumed | None":
        """What the checkpoint of a run says of itself; None where nothing is resumed."""
        if resume is None:
            return None
        path = last_of(resume, say=True)
        checkpoint = read_checkpoint(path)
        try:
            loop = checkpoint["loops"]["fit_loop"]
            batches, done = loop["epoch_loop.batch_progress"]["total"]["ready"], int(checkpoint["global_step"])
            steps = int(loop["epoch_loop.state_dict"].get("_batches_that_stepped", done))
            steps += steps < batches  # saved before the last step was counted
            epochs = int(loop["epoch_progress"]["current"]["completed"])
            row = dict(checkpoint.get("epoch_row") or {})
            plain = min(steps, done, batches, epochs) >= 0 and all(
                isinstance(each, int | float) for each in row.values()
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _state_refused(path, error) from error
        if not plain or steps > _MOST_STEPS or done > _MOST_STEPS:
            raise _state_refused(path, f"step {done}, row {row}")
        return cls(path, steps, done, row)

    def take_along(self, folder: Path) -> None:
        """Copy best checkpoint and log of a run that goes on in another folder; the original stays as it is."""
        source = run_of(self.path)
        for name in (BEST, LOG):
            if source.resolve() != folder.resolve() and (source / name).is_file():
                with atomic_write(folder / name) as part:
                    shutil.copyfile(source / name, part)


@contextmanager
def state_that_fits(resumed: Resumed | None) -> Iterator[None]:
    """UserError for a state of optimiser, schedule, callbacks or loops that cannot be taken up.

    Weights have errors of their own.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        restored = any(each.name.startswith(_RESTORES) or _OPTIMISER in Path(each.filename).parents for each in frames)
        if resumed is None or isinstance(error, UserError) or not restored:
            raise
        raise _state_refused(resumed.path, error) from error


def _state_refused(path: Path, why: object) -> UserError:
    reason = f"{type(why).__name__}: {why}" if isinstance(why, BaseException) else str(why)
    return UserError(
        f"{path}: the state of the training in it cannot be taken up ({' '.join(reason.split())[:200]}); "
        f"checkpoint={path} starts a new run from its weights"
    )


def writing_here(stored: Any, cfg: DictConfig) -> Any:
    """Settings of a checkpoint, in which everything that names a folder to write to names that of the command.

    Checkpoints lie in ``checkpoints`` of the run folder, caches where conf/ has them; structures are not fetched.
    """
    if isinstance(stored, list):
        return [writing_here(value, cfg) for value in stored]
    if not isinstance(stored, dict):
        return stored
    usual = {name: str(cfg.folder) for name in WRITES}
    usual |= {"dirpath": str(Path(cfg.folder) / Path(LAST).parent), "cache_dir": cfg.data.get("cache_dir", "cache")}
    here = {key: writing_here(value, cfg) for key, value in stored.items()}
    if here.get("cache_dir") not in (None, usual["cache_dir"]):
        _log.info("cache_dir=%s of the checkpoint is not taken: %s", here["cache_dir"], usual["cache_dir"])
    here |= {key: usual[key] for key in here if key in usual and here[key] is not None}
    return here | ({"archive": None} if "archive" in here else {})


def command_words() -> list[str] | None:
    """Overrides of the command line, of a sweep's job its own included; None outside hydra.main."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else None


def all_words(cfg: DictConfig) -> list[str]:
    """Overrides that made a run: those it began with, then those it was resumed with."""
    said = command_words() or []
    return said if cfg.resume is None else [*_joined(_recorded(cfg), said), f"resume={cfg.resume}"]


def _recorded(cfg: DictConfig) -> list[str]:
    """Overrides that the run was started with, as far as its folder tells; those that read more than conf/ left out.

    Their values are in the checkpoint already, resolved. ``trust`` is left out, too: it is said anew on each command.
    """
    try:
        words = json.loads((run_of(cfg.resume) / VERSIONS).read_text(encoding="utf-8"))["overrides"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    words = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    return [word for word in words if not (_key(word).startswith(("hydra", "trust")) or "${" in word or ".." in word)]


def _joined(earlier: Sequence[str], later: Sequence[str]) -> list[str]:
    """Both lists of overrides, of a key the later one, without what names the place of the run."""
    keys = {_key(word) for word in later}
    words = [*(word for word in earlier if _key(word) not in keys), *later]
    return [word for word in words if _key(word) not in ("resume", "folder")]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _compositions(cfg: DictConfig, said: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Resolved settings as the run's own words give them today, and with the new words; keys that these name.

    Words that give nothing any more, of an earlier release or changed by hand, are left out.
    """
    recorded = _recorded(cfg)
    try:
        before = _composed(cfg, _joined(recorded, []))
    except Exception as error:  # whatever words of somebody else make Hydra stumble over
        _log.warning("the words that %s began with are not those of today (%s), and are not used", cfg.resume, error)
        recorded, before = [], _composed(cfg, [])
    return before, _composed(cfg, _joined(recorded, said)), [_key(word) for word in said]


def _composed(cfg: DictConfig, words: Sequence[str]) -> dict[str, Any]:
    hydra, resume = HydraConfig.get(), f"resume={quoted(str(cfg.resume))}"
    places = [word for word in hydra.overrides.hydra if _key(word) == "hydra.searchpath"]  # of this command alone
    return resolved(compose(hydra.job.config_name, overrides=[*words, *places, resume]), whole=False)


def _laid_over(
    stored: dict[str, Any], before: dict[str, Any], after: dict[str, Any], named: Sequence[str]
) -> dict[str, Any]:
    """``stored`` with every value in which ``after`` differs from ``before``, and those that were named."""
    settings = OmegaConf.create(stored)
    changed = {key: new for key, _, new in _differences(before, after)}
    for key in named:
        new = OmegaConf.select(OmegaConf.create(after), key, default=_ABSENT)
        if new is not _ABSENT and not OmegaConf.is_config(new):
            changed[key] = new
    for key, new in changed.items():
        if new is _ABSENT:
            parent, _, last = key.rpartition(".")
            node = OmegaConf.select(settings, parent) if parent else settings
            if node is not None:
                node.pop(last, None)
        else:
            OmegaConf.update(settings, key, new, merge=False, force_add=True)
    return resolved(settings)


def _differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Key, old and new value of everything in which two plain containers differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            place = f"{where}.{key}" if where else str(key)
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), place)
    elif old != new:
        yield where, old, new


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else str(value)
