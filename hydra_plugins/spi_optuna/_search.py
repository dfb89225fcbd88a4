"""Search by Optuna over the jobs of a sweep, in a storage from which it goes on."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.plain_words import quoted
from spi_lightning.callbacks.pruning import TRIAL, trial_in_words
from spi_lightning.errors import PrunedError, UserError
from spi_lightning.files import write_text
from spi_lightning.results.runs.run import SWEEP
from spi_lightning.tracking.sweep_jobs import job_name

try:
    import optuna
    from optuna.trial import Trial, TrialState

    from ._space import grid_of, search_space, words_of
except ImportError as error:
    raise UserError("searches with Optuna are an extra: pip install optuna cmaes") from error

STORAGE = "optuna.db"
RESULTS = "optimization_results.yaml"
_FOLDER = "folder"  # of the sweep that a trial belongs to
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class Search:
    """Search of one command.

    Args:
        settings: Fields of OptunaConfig by name.
        config: Configuration of the command.
        arguments: Overrides of the command line, which win over the search space of the settings.
    """

    def __init__(self, settings: Mapping[str, Any], config: DictConfig, arguments: Sequence[str]) -> None:
        self.settings, self.config = settings, config
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()
        params = [f"{key}={value}" for key, value in (settings["params"] or {}).items()]
        self.space, self.fixed = search_space([*params, *arguments])
        self.storage = settings["storage"] or f"sqlite:///{self.folder / STORAGE}"

    def run(self, launcher: Launcher) -> None:
        """Run trials until as many as wanted have finished or were pruned; each is in the storage as soon as it ends.

        A trial that an earlier start has left behind is run again first, in its own folder.

        Raises:
            UserError: The search cannot begin, or a trial failed by a mistake of the user.
        """
        if self.settings["n_jobs"] > 1 and isinstance(launcher, BasicLauncher):
            raise UserError(
                f"hydra.sweeper.n_jobs={self.settings['n_jobs']}: Hydra's own launcher runs one job after the other; "
                "leave n_jobs=1, or name another one (pip install hydra-joblib-launcher, hydra/launcher=joblib)"
            )
        logging.getLogger("optuna").setLevel(logging.WARNING)
        self.folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, self.folder / SWEEP)
        study = self._study()
        try:
            for trials in self._drawn(study):
                self._tell(study, trials, launcher.launch([self._words(trial) for trial in trials], trials[0].number))
                self._write_results(study)
        finally:
            self._remove_unused(study)

    def _study(self) -> optuna.Study:
        try:
            study = optuna.create_study(
                study_name=self.settings["study_name"],
                storage=self.storage,
                direction=self.settings["direction"],
                load_if_exists=True,
            )
            study.sampler = self._sampler(len(study.trials))
            study.stop = lambda: None  # type: ignore[method-assign]  # by a grid at its end, where _wanted ends, too
        except ValueError as error:
            raise UserError(f"hydra.sweeper: {error}") from error
        if study.direction.name.lower() != self.settings["direction"]:
            raise UserError(
                f"hydra.sweeper.direction={self.settings['direction']}: the study in {self.storage} is to "
                f"{study.direction.name.lower()}; name another folder, out=, or study_name"
            )
        return study

    def _sampler(self, trials: int) -> Any:
        """Sampler; that of a study with trials has another seed, with which it does not draw the same ones again."""
        sampler, more = self.settings["sampler"], {}
        if self._is_grid:
            more["search_space"] = {name: grid_of(each) for name, each in self.space.items()}
        elif sampler.get("seed") is not None:
            more["seed"] = sampler.seed + trials
        return instantiate(sampler, **more)

    def _drawn(self, study: optuna.Study) -> Iterator[list[Trial]]:
        """Trials to be run, as many at a time as there are jobs; first those that were stopped."""
        left = self._wanted() - sum(each.state in _ENDED for each in study.trials)
        stopped = [
            Trial(study, each._trial_id)
            for each in study.trials
            if each.state is TrialState.RUNNING
            and (not self.settings["storage"] or each.user_attrs.get(_FOLDER) == str(self.folder))
        ]
        for trial in stopped[: max(left, 0)]:
            left -= 1
            yield [trial]
        while left > 0:
            try:
                trials = [study.ask(self.space) for _ in range(min(self.settings["n_jobs"], left))]
            except ValueError as error:  # of a study that has searched another space
                raise UserError(f"{self.storage}: {error}; name another folder, out=, or study_name") from error
            left -= len(trials)
            for trial in trials:
                trial.set_user_attr(_FOLDER, str(self.folder))
            yield trials

    def _wanted(self) -> int:
        """Number of trials of the whole search; of a grid at most all its points."""
        count = int(self.settings["n_trials"])
        return min(count, prod(len(grid_of(each)) for each in self.space.values())) if self._is_grid else count

    @property
    def _is_grid(self) -> bool:
        return str(self.settings["sampler"].get("_target_")).endswith("GridSampler")

    def _words(self, trial: Trial) -> list[str]:
        """Overrides of a trial, with the name of its folder and, for its callbacks, that of the trial."""
        varied = words_of(trial.params)
        name = quoted(f"{trial.number:03d}_{job_name(varied, trial.params.keys())}")
        reference = quoted(trial_in_words(self.storage, trial.study.study_name, trial.number))
        return [*self.fixed, *varied, f"hydra.sweep.subdir={name}", f"++hydra.job.env_set.{TRIAL}={reference}"]

    def _tell(self, study: optuna.Study, trials: Sequence[Trial], jobs: Sequence[JobReturn]) -> None:
        """Write how the jobs of one draw have ended; the first error, where too many have failed."""
        failed = []
        for trial, job in zip(trials, jobs, strict=True):
            error = job._return_value if job.status is JobStatus.FAILED else None
            if isinstance(error, PrunedError):
                study.tell(trial, state=TrialState.PRUNED)
            elif error is not None or job._return_value is None or job._return_value != job._return_value:
                study.tell(trial, state=TrialState.FAIL)
                failed.append(job)
            else:
                study.tell(trial, float(job._return_value))
        if len(failed) > self.settings["max_failure_rate"] * len(trials):
            _ = failed[0].return_value  # raises its error
            raise UserError(f"trial {trials[0].number}: gave no number to {self.settings['direction']}")

    def _write_results(self, study: optuna.Study) -> None:
        if any(each.state is TrialState.COMPLETE for each in study.trials):
            best = {"name": "optuna", "best_params": dict(study.best_params), "best_value": study.best_value}
            write_text(self.folder / RESULTS, yaml.safe_dump(best, sort_keys=False))

    def _remove_unused(self, study: optuna.Study) -> None:
        """Remove the storage of a search whose trials all failed, so that nothing is left of a refused one."""
        refused = isinstance(sys.exception(), UserError) and all(each.state is TrialState.FAIL for each in study.trials)
        if refused and not self.settings["storage"]:
            (self.folder / STORAGE).unlink(missing_ok=True)
