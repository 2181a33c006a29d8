"""The configuration of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from common.schema import current_names
from options import Origin, Resolved
from options.resolved import flat
from runs.config import ExperimentConfig
from runs.tuning.options import TuneOptions
from runs.tuning.space import Space, read_space


@dataclass(frozen=True)
class TuneConfig:
    """A search: the experiment whose options are searched, and the search's own options."""

    experiment: ExperimentConfig
    tune: TuneOptions

    @classmethod
    def of(cls, resolved: Resolved) -> TuneConfig:
        """Build the configuration from resolved options."""
        return cls(ExperimentConfig.of(resolved), resolved.section("tune", TuneOptions))

    @property
    def spaces(self) -> dict[str, Space]:
        """The search space, by option; under the names that `search` has, former ones included."""
        spaces = {key: read_space(raw) for key, raw in self.tune.search.items()}
        return {key: space for key, space in spaces.items() if isinstance(space, Space)}

    def values(self) -> dict[str, Any]:
        """All options, flat, as plain values."""
        return flat([*self.experiment.sections.values(), self.tune])

    def with_tune_seed(self) -> TuneConfig:
        """This configuration with the search's seed as the seed of its runs."""
        seed = self.tune.tune_seed
        if seed is None:
            return self
        experiment = self.experiment.with_run(Origin.program("search"), seed=seed)
        return replace(self, experiment=experiment, tune=self.tune.model_copy(update={"tune_seed": None}))

    def run_with(self, origin: Origin, **values: Any) -> ExperimentConfig:
        """The training run with these values of searched or other options.

        Raises OptionsError if they are not allowed together.
        """
        return self.experiment.changed(origin, mode="train", **current_names(values))
