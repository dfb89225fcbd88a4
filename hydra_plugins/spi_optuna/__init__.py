"""Searches by Optuna as a sweeper of Hydra: ``hydra/sweeper=optuna`` and its samplers.

Hydra imports this module at the start of every command, so that Optuna itself, an extra, is imported by a search alone.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig

SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "qmc": "QMCSampler",
    "grid": "GridSampler",
}
"""Choice of ``hydra/sweeper/sampler`` -> class of optuna.samplers; all of them take a seed and what the class takes."""


@dataclass
class OptunaConfig:
    """Settings of a search.

    Attributes:
        sampler: Class of optuna.samplers and its arguments.
        direction: ``minimize`` or ``maximize`` what the command returns.
        storage: URL of Optuna's storage; None: ``optuna.db``, SQLite, in the folder of the sweep.
        study_name: Name of the study in its storage; one that is there goes on.
        n_trials: Number of trials that are to finish, those of an earlier start included.
        n_jobs: Trials that are drawn before the first of them ends: as many as the launcher runs at once. Hydra's own
            runs one, and with it more than 1 is refused.
        max_failure_rate: Share of the trials of one draw that may fail before the search ends.
        params: Search space: key -> ``interval(a, b)``, ``range(a, b, step)``, ``choice(a, b)`` or ``a,b``, also
            ``tag(log, interval(a, b))``; or a fixed value.
    """

    _target_: str = "hydra_plugins.spi_optuna.OptunaSweeper"
    _recursive_: bool = False
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}])
    sampler: Any = MISSING
    direction: str = "minimize"
    storage: str | None = None
    study_name: str | None = None
    n_trials: int = 20
    n_jobs: int = 1
    max_failure_rate: float = 0.0
    params: dict[str, Any] | None = None


class OptunaSweeper(Sweeper):
    """Sweeper that draws the settings of each job by Optuna; the arguments are those of OptunaConfig."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher of the jobs; called by Hydra."""
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the search over the settings and the arguments of the command line; called by Hydra."""
        from ._search import Search

        assert self.config is not None and self.launcher is not None
        Search(self.settings, self.config, arguments).run(self.launcher)


def _register() -> None:
    store = ConfigStore.instance().store
    store(group="hydra/sweeper", name="optuna", node=OptunaConfig, provider="spi_lightning")
    for name, sampler in SAMPLERS.items():
        node = {"_target_": f"optuna.samplers.{sampler}", "seed": None}
        store(group="hydra/sweeper/sampler", name=name, node=node, provider="spi_lightning")


_register()
