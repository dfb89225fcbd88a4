"""Methods of a command: names in conf/method/ and trained runs, in the order of the command."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spi_lightning.errors import UserError
from spi_lightning.locations import CACHE
from spi_lightning.methods import CheckpointMethod, SupportCheckpoint, SupportMethod, find_checkpoints, run_name
from spi_lightning.printable import printable
from spi_lightning.settings import with_defaults

from .kinds import METHODS, method_file, names_of, require_kind


def make_methods(cfg: DictConfig) -> Iterator[Any]:
    """Methods that select hits, under names that differ.

    Args:
        cfg: ``methods`` and ``checkpoint``: a name in conf/method/, a run folder, a checkpoint, a pattern such as
            'runs/han_resnet10/*', or a list of those; ``settings``: options of named methods, by name.

    Raises:
        UserError: Nothing to do, a name that is neither a method nor a run, or settings of no method that is used.
    """
    used: set[str] = set()
    for entry in entries_for(cfg, "hits"):
        if method_file(entry) is not None:
            yield instantiate(settings_of(entry, cfg), name=free_name(entry, used), _convert_="all")
            continue
        for checkpoint in found_checkpoints(entry, "hits"):
            name, options = free_name(run_name(checkpoint), used), {**cfg.preprocess, "views": cfg.views}
            yield CheckpointMethod(
                name, checkpoint, instantiate, cfg.batch_size, cfg.device, cache_dir=str(CACHE), **options
            )


def make_support_methods(cfg: DictConfig) -> Iterator[SupportMethod]:
    """As make_methods, of methods that find supports.

    Raises:
        UserError: As make_methods; or a method of another kind.
    """
    if cfg.preprocess.crop is not None:
        raise UserError(
            "preprocess.crop: supports are found from as many central pixels as the network was trained on."
        )
    bins = 1 if cfg.preprocess.bin is None else cfg.preprocess.bin
    if not isinstance(bins, int) or bins < 1:
        raise UserError(f"preprocess.bin={bins}: give a whole number, 1 or more.")
    used: set[str] = set()
    for entry in entries_for(cfg, "supports"):
        if method_file(entry) is not None:
            settings = settings_of(entry, cfg)
            healing = {"instantiate": instantiate} if "healing" in settings else {}  # is no configuration
            method: SupportMethod = instantiate(settings, _partial_=True, _convert_="all")(
                name=free_name(entry, used), **healing
            )
            yield method
        else:
            for checkpoint in found_checkpoints(entry, "supports"):
                name = free_name(run_name(checkpoint), used)
                options = {"device": cfg.device, "batch_size": cfg.batch_size, "bin": bins}
                yield SupportCheckpoint(name=name, checkpoint=checkpoint, instantiate=instantiate, **options)


def entries_for(cfg: DictConfig, kind: str) -> list[str]:
    """The entries of ``methods`` and ``checkpoint``, each able to answer this kind of question.

    Raises:
        UserError: There is none, one answers another kind, or settings of no method that is used.
    """
    entries = [*entries_of(cfg.methods), *entries_of(cfg.checkpoint)]
    if not entries:
        raise UserError("nothing to evaluate: add checkpoint=RUN_OR_CKPT, or method=[NAME,...].")
    unused = sorted(set(cfg.settings) - set(entries))
    if unused:
        raise UserError(f"settings.{unused[0]}: method=[{','.join(entries)}] does not hold {unused[0]}; add it there.")
    for entry in entries:
        require_kind(entry, kind)
    return entries


def settings_of(name: str, cfg: DictConfig) -> DictConfig:
    """conf/method/NAME.yaml and all defaults, with ``settings.NAME`` laid over it; no other keys are allowed."""
    own = OmegaConf.load(method_file(name) or METHODS / f"{name}.yaml")
    settings = OmegaConf.create(with_defaults(OmegaConf.to_container(own, resolve=False)))
    settings.pop("name", None)  # the caller gives one
    if settings.get("device") == "auto":
        settings.device = cfg.device
    over = cfg.settings.get(name) or {}
    for key in over:
        if key not in settings:
            choices = ", ".join(str(choice) for choice in settings if choice != "_target_")
            raise UserError(f"settings.{name}.{key} is unknown; {name} has: {choices or 'no settings'}.")
    try:
        merged = OmegaConf.merge(settings, over)
    except OmegaConfBaseException as error:
        raise UserError(f"settings.{name}: {str(error).splitlines()[0]}") from error
    assert isinstance(merged, DictConfig)
    return merged


def found_checkpoints(entry: str, kind: str) -> list[Path]:
    """Checkpoints that an entry means; UserError that lists the methods where it is a single unknown word."""
    try:
        return find_checkpoints(entry)
    except UserError as error:
        if "/" in entry or Path(entry).suffix or Path(entry).exists() or any(sign in entry for sign in "*?["):
            raise
        names = ", ".join(names_of(kind))
        raise UserError(f"method={entry} is neither a run nor a method; methods: {names}.") from error


def as_plain_list(arguments: Sequence[str]) -> list[str]:
    """Command line in which ``method=`` reads ``methods=``.

    Hydra takes ``method=`` for the folder conf/method/, would lay the named files over one another and refuse the paths
    of runs; here each is a method of its own.
    """
    return [f"methods={word[7:]}" if word.startswith("method=") else word for word in arguments]


def entries_of(value: Any) -> list[str]:
    """One word, a list of words or null -> list."""
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, ListConfig) else [str(value)]


def free_name(name: str, used: set[str]) -> str:
    """The name as it can be printed, with a number behind it if it is taken; it counts as taken from now on."""
    number, candidate = 1, (name := printable(name))
    while candidate in used:
        number += 1
        candidate = f"{name} ({number})"
    used.add(candidate)
    return candidate
