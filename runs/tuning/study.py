"""The optuna study of a search: storage, parameters, sampler and pruner."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from common.errors import UserError
from common.texts import value_hash
from options.yaml_text import flow
from runs.tuning.space import Space
from trainers.randomness import derived_seed

CHECKSUM = "checksum"  # a trial's attribute
LOCK_SECONDS = 120.0  # how long a process waits for another that writes to the SQLite file
optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


@dataclass(frozen=True)
class StudyPlan:
    """Everything that a process needs to open a study.

    Attributes
    ----------
    storage : an optuna URL
    name : the study's name there
    seed : random seed of the search
    startup_trials : random trials before the sampler learns; pruner median also waits for as many finished ones
    pruner : decides which trials end early
    warmup_epochs : epochs before a trial may be pruned
    num_epochs : maximum number of epochs of a trial, for hyperband
    higher_is_better : the direction of the metric
    """

    storage: str
    name: str
    seed: int
    startup_trials: int
    pruner: Literal["median", "hyperband", "none"]
    warmup_epochs: int
    num_epochs: int | None
    higher_is_better: bool = True

    def open(self) -> Study:
        """Open the study, or create it. Raises UserError if its storage can't be opened."""
        with _storage_errors(self.storage):
            study = optuna.create_study(
                storage=_open_storage(self.storage),
                study_name=self.name,
                direction="maximize" if self.higher_is_better else "minimize",  # if the study is new
                sampler=SeededSampler(self.seed, self.startup_trials),
                pruner=self._make_pruner(),
                load_if_exists=True,
            )
            study.get_trials(deepcopy=False)  # reads everything
            return study

    def sign(self, study: Study) -> int:
        """The factor between the metric and the study's values: 1; -1 for studies of earlier versions, which maximized
        a negated error metric."""
        return 1 if (study.direction == StudyDirection.MAXIMIZE) == self.higher_is_better else -1

    def delete(self) -> None:
        """Remove the study with all its trials."""
        self.open()
        with _storage_errors(self.storage):
            optuna.delete_study(study_name=self.name, storage=_open_storage(self.storage))

    def _make_pruner(self) -> BasePruner:
        if self.pruner == "median":
            return MedianPruner(n_startup_trials=self.startup_trials, n_warmup_steps=self.warmup_epochs)
        if self.pruner == "hyperband":
            assert self.num_epochs is not None, "the options are checked for this"
            return HyperbandPruner(min_resource=min(self.warmup_epochs, self.num_epochs), max_resource=self.num_epochs)
        return NopPruner()


class SeededSampler(BaseSampler):
    """TPE whose draws for a trial depend only on the seed, the trial's number and the earlier trials.

    A search that is killed and resumed therefore suggests the same trials.
    """

    def __init__(self, seed: int, startup_trials: int) -> None:
        self._seed, self._startup_trials = seed, startup_trials
        self._tpe: BaseSampler = TPESampler(seed=0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the draws of a trial."""
        seed = derived_seed(self._seed, f"tune/{trial.number}") % 2**32
        self._tpe = TPESampler(n_startup_trials=self._startup_trials, seed=seed)
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that are drawn together."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw them."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one parameter by itself."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Do nothing: TPE looks at the finished trials when it draws."""


@contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    """Turn an error of the storage into a UserError. Errors that aren't its own count as damaged content."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of optuna, of the database, or of what optuna finds in it
        what = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"storage {hide_password(url)} can't be used: {type(error).__name__}: {what}. If it is damaged, restart "
            "the search from scratch with --overwrite true after removing it"
        ) from error


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn an error of the database into a UserError, in a block that also does other things."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        what = next(iter(str(error).splitlines()), "")
        raise UserError(f"storage {hide_password(url)} can't be used any more: {what}") from error


def sqlite_url(path: object) -> str:
    """The storage URL of an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def hide_password(url: str) -> str:
    """A storage's URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def checksum(trial: FrozenTrial, state: TrialState, value: float | None) -> str:
    """A checksum of a trial that ends in a state with a value, to be stored with it."""
    content = [trial.number, state.name, value, trial.params, sorted(trial.intermediate_values.items())]
    return value_hash(content, 16)


def changed_trials(trials: Iterable[FrozenTrial]) -> list[int]:
    """The numbers of ended trials that differ from what was stored. (Those of earlier versions have no checksum.)"""
    stored = [(trial, trial.user_attrs.get(CHECKSUM)) for trial in trials if trial.state.is_finished()]
    return [
        trial.number
        for trial, known in stored
        if known is not None and known != checksum(trial, trial.state, trial.values[0] if trial.values else None)
    ]


@functools.cache
def _open_storage(url: str) -> RDBStorage:
    """Open a storage once per process, because opening it takes longer than a short trial."""
    options = {"connect_args": {"timeout": LOCK_SECONDS}} if url.startswith("sqlite") else {}
    return RDBStorage(url, engine_kwargs=options)


def suggest(trial: Trial, spaces: Mapping[str, Space]) -> dict[str, Any]:
    """The values of a trial: those it already has, and new ones for the other options."""
    for key, space in spaces.items():
        if space.kind == "choice":  # as text: optuna takes no lists
            trial.suggest_categorical(key, [flow(value) for value in space.values])
            continue
        low, high = space.values
        if space.is_integer:
            trial.suggest_int(key, low, high, step=int(space.step or 1), log=space.is_log)
        else:
            trial.suggest_float(key, low, high, step=space.step, log=space.is_log)
    return values_of(trial, spaces)


def values_of(trial: Trial | FrozenTrial, spaces: Mapping[str, Space]) -> dict[str, Any]:
    """The values that a trial has so far."""
    values = {}
    for key, space in spaces.items():
        if key not in trial.params:
            continue
        drawn = trial.params[key]
        if space.kind == "choice":
            values[key] = space.values[[flow(value) for value in space.values].index(drawn)]
        else:
            values[key] = drawn if space.is_integer else _readable(drawn, *space.values)
    return values


def as_parameters(values: Mapping[str, Any], spaces: Mapping[str, Space]) -> dict[str, Any]:
    """Values of options as parameters of the study."""
    return {key: flow(values[key]) if space.kind == "choice" else values[key] for key, space in spaces.items()}


def _readable(value: float, low: float, high: float) -> float:
    """A drawn number, rounded to six digits within its bounds, so that a template shows exactly what the run used."""
    return min(max(float(f"{value:.6g}"), low), high)
