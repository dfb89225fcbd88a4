"""Methods by their names: files of settings such as conf/method/graph_cut.yaml, trained runs and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, cast, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spi_lightning.errors import UserError
from spi_lightning.printable import printable
from spi_lightning.results.hit_answer import HitPart
from spi_lightning.results.support_answer import SupportPart
from spi_lightning.results.volume_answer import VolumePart
from spi_lightning.settings import named, with_defaults
from spi_lightning.tasks.checkpoint_files import find_checkpoints, run_name, shipped_names

PARTS: Final = {HitPart: "hits", SupportPart: "supports", VolumePart: "volumes"}
"""Part of a question -> kind of data."""
OfRun = Callable[[Path], Iterable[tuple[str, Callable[..., Any]]]]
"""Function from a checkpoint to the methods that it is, each with the ending of its name and without the name."""


@dataclass(frozen=True)
class MethodLibrary:
    """Methods that answer one kind of question, each from its file of settings or from a trained run.

    Args:
        kind: Kind of data that the methods answer: ``hits``, ``supports`` or ``volumes``; None: of any kind.
        folders: Folders with the settings of a method in NAME.yaml; recipes of phasing lie in ``phasing`` beside them.
        instantiate: Maker of objects of configurations with ``_target_``: hydra.utils.instantiate.
        refine: Maker of the refinement that ``experiment`` and ``overrides`` in a method's settings describe.
        settings: Options laid over the settings of a method, by its name.
        device: Device for methods whose own setting is ``auto``.
    """

    kind: str | None
    folders: Sequence[Path]
    instantiate: Callable[..., Any]
    refine: Callable[[str, Any], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"

    def choose(self, entries: Sequence[str], of_run: OfRun) -> Iterator[Any]:
        """Methods under names that differ, in the order of the entries.

        Args:
            entries: Each the name of a method, a run folder, a checkpoint, or a pattern such as 'runs/han_resnet10/*'.
            of_run: Function from a checkpoint to its methods.

        Raises:
            UserError: There is no entry, one is neither a method of this kind nor a run, or there are settings of a
                method that is not chosen.
        """
        if not entries:
            raise UserError("nothing to evaluate: add checkpoint=RUN_OR_CKPT, or method=[NAME,...]")
        if unused := sorted(set(self.settings) - set(entries)):
            raise UserError(
                f"settings.{unused[0]}: method=[{','.join(entries)}] does not hold {unused[0]}; add it there"
            )
        for entry in entries:
            self._require_kind(entry)
        used: set[str] = set()
        for entry in entries:
            if self.file(entry) is not None:
                yield self.method(entry)(name=free_name(entry, used))
                continue
            for checkpoint in self.checkpoints(entry):
                name = free_name(run_name(checkpoint), used)
                for ending, method in of_run(checkpoint):
                    yield method(name=free_name(f"{name}{ending}", used) if ending else name)

    def file(self, name: str) -> Path | None:
        """File of a method's settings; None where there is none."""
        return next((path for folder in self.folders if (path := folder / f"{name}.yaml").is_file()), None)

    def names(self) -> list[str]:
        """Names of the methods of this kind, sorted."""
        names = {path.stem for folder in self.folders for path in folder.glob("*.yaml")}
        return [name for name in sorted(names) if self.kind is None or self.kind_of(name) == self.kind]

    def kind_of(self, name: str) -> str:
        """Kind of a named method, by the annotation of the part that it answers; UserError where it has none."""
        path = self.file(name)
        target = str(OmegaConf.select(OmegaConf.load(cast(Path, path)), "_target_"))
        try:
            method = named(target)
        except ImportError as error:
            raise UserError(
                f"{path}: {target} cannot be imported ({error}); put the folder that holds its package on PYTHONPATH"
            ) from error
        return kind_of_method(method, f"{path}: ")

    def method(self, name: str) -> Callable[..., Any]:
        """A named method without the name under which it is to be listed, its argument ``name``."""
        settings, options = self.settings_of(name), {}
        experiment, overrides = settings.pop("experiment", None), settings.pop("overrides", {})
        if "recipe" in settings:
            settings["recipe"] = self._recipe(str(settings["recipe"]))
        if experiment is not None:
            options["refinement"] = self.refine(str(experiment), overrides)
        if "healing" in settings:
            options["instantiate"] = self.instantiate  # a function is not a configuration
        return partial(self.instantiate(settings, _partial_=True, _convert_="all"), **options)

    def settings_of(self, name: str) -> dict[str, Any]:
        """Settings of a named method, its defaults too, with ``settings.NAME`` laid over them.

        Raises:
            UserError: An option that the method does not have, or one that cannot be laid over its setting.
        """
        own = OmegaConf.load(cast(Path, self.file(name)))
        settings = with_defaults(OmegaConf.to_container(own, resolve=False))
        settings.pop("name", None)  # the caller gives one
        if settings.get("device") == "auto":
            settings["device"] = self.device
        over = self.settings.get(name) or {}
        if not isinstance(over, Mapping):
            raise UserError(f"settings.{name}={over} names no option; write +settings.{name}.OPTION=VALUE")
        for key in over:
            if key not in settings:
                choices = ", ".join(str(choice) for choice in settings if choice != "_target_")
                raise UserError(f"settings.{name}.{key} is unknown; {name} has: {choices or 'no settings'}")
        try:
            merged = OmegaConf.merge(settings, over)
        except OmegaConfBaseException as error:
            raise UserError(f"settings.{name}: {str(error).splitlines()[0]}") from error
        return cast(dict[str, Any], OmegaConf.to_container(merged))

    def _require_kind(self, entry: str) -> None:
        """UserError for the name of a method of another kind; runs are judged when they are read."""
        if self.file(entry) is not None and (kind := self.kind_of(entry)) != self.kind:
            raise UserError(
                f"method={entry} answers {kind}, and this data asks for {self.kind}; methods of {self.kind}: "
                f"{', '.join(self.names())}, or a run trained on {self.kind}"
            )

    def checkpoints(self, entry: str) -> list[Path]:
        """Checkpoints that an entry means; UserError that lists the methods where it is a single unknown word."""
        try:
            return find_checkpoints(entry)
        except UserError as error:
            if "/" in entry or Path(entry).suffix or Path(entry).exists() or any(sign in entry for sign in "*?["):
                raise
            near = get_close_matches(entry, [*self.names(), *shipped_names()], 1)
            choices = f"did you mean {near[0]}?" if near else f"methods: {', '.join([*self.names(), *shipped_names()])}"
            raise UserError(f"method={entry} is neither a run nor a method; {choices}") from error

    def _recipe(self, recipe: str) -> str:
        """The recipe of phasing/NAME.yaml; anything else as it is."""
        paths = (folder.parent / "phasing" / f"{recipe}.yaml" for folder in self.folders)
        path = next((path for path in paths if recipe.isidentifier() and path.is_file()), None)
        return recipe if path is None else str(OmegaConf.select(OmegaConf.load(path), "recipe"))


def kind_of_method(method: Any, where: str = "") -> str:
    """Kind of data that a method answers, by the annotation of its part; UserError where it has none.

    Args:
        method: Class or function of a method.
        where: Beginning of the message, such as the file that names the method.
    """
    try:
        return PARTS[get_type_hints(getattr(method, "answer", None))["part"]]
    except (TypeError, KeyError, NameError) as error:
        names = ", ".join(part.__name__ for part in PARTS)
        raise UserError(
            f"{where}{method.__name__} needs answer(self, part, listener), part annotated as one of {names}"
        ) from error


def free_name(name: str, used: set[str]) -> str:
    """Printable form of a name, followed by a number if it is taken; it is added to the taken names."""
    number, candidate = 1, (name := printable(name))
    while candidate in used:
        number += 1
        candidate = f"{name} ({number})"
    used.add(candidate)
    return candidate
