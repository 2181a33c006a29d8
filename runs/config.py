"""The configuration of one experiment: frozen and typed, with one attribute per component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from common.schema import Options
from dataloaders import DATALOADERS, Dataloader, DataloaderOptions
from datasets import SPLITS
from datasets.base import DatasetOptions
from datasets.own_split import OwnSplitOptions
from evaluation.options import EvaluationOptions
from models import MODELS, Model
from options import Origin, Resolved
from options.problems import Problems
from options.resolve import find_conflict
from options.resolved import flat
from options.values import check
from options.yaml_text import dump_mapping
from runs.run_options import RunOptions
from trainers import TRAINERS, BaseTrainer
from trainers.options import TrainerOptions

T = TypeVar("T")
EXPERIMENT = ("run", "dataset", "split", "dataloader", "model", "trainer", "evaluation")


@dataclass(frozen=True)
class ExperimentConfig:
    """All options of one experiment; the options of each component are an instance of its schema.

    Attributes
    ----------
    run : the options that belong to no component; its `dataloader_code` and `trainer_code` are never null
    dataset, split, dataloader, model, trainer, evaluation : the options of the chosen components
    origins : option -> origin of its value
    templates : the templates, as they were named
    """

    run: RunOptions
    dataset: DatasetOptions
    split: Options
    dataloader: DataloaderOptions
    model: Options
    trainer: TrainerOptions
    evaluation: EvaluationOptions
    origins: Mapping[str, Origin]
    templates: tuple[str, ...] = ()

    @classmethod
    def of(cls, resolved: Resolved) -> ExperimentConfig:
        """Build the configuration from the resolved options of a command on one experiment."""
        return cls(
            run=resolved.section("run", RunOptions),
            dataset=resolved.section("dataset", DatasetOptions),
            split=resolved.section("split", Options),
            dataloader=resolved.section("dataloader", DataloaderOptions),
            model=resolved.section("model", Options),
            trainer=resolved.section("trainer", TrainerOptions),
            evaluation=resolved.section("evaluation", EvaluationOptions),
            origins=resolved.origins,
            templates=resolved.templates,
        )

    @property
    def sections(self) -> dict[str, Options]:
        """The options by section, "run" first."""
        return {
            "run": self.run,
            "dataset": self.dataset,
            "split": self.split,
            "dataloader": self.dataloader,
            "model": self.model,
            "trainer": self.trainer,
            "evaluation": self.evaluation,
        }

    @property
    def model_class(self) -> type[Model]:
        """The class of the model."""
        return _chosen(MODELS, self.run.model_code)

    @property
    def loader_class(self) -> type[Dataloader]:
        """The class of the dataloader."""
        return _chosen(DATALOADERS, self.run.dataloader_code)

    @property
    def trainer_class(self) -> type[BaseTrainer]:
        """The class of the trainer."""
        return _chosen(TRAINERS, self.run.trainer_code)

    @property
    def label(self) -> str:
        """The run's name in tables."""
        return self.run.label or self.model_class.named(self.sections)

    @property
    def depends_on_seed(self) -> bool:
        """Whether another seed would give other results: the model draws something, or the seed draws the split."""
        return not self.model_class.deterministic or getattr(self.split, "split_seed", 0) is None

    @property
    def split_options(self) -> Options:
        """The options of the split, with the run's seed as `split_seed` if that is null."""
        if getattr(self.split, "split_seed", 0) is None:
            return self.split.model_copy(update={"split_seed": self.run.seed})
        return self.split

    def values(self) -> dict[str, Any]:
        """All options, flat, as plain values."""
        return flat(self.sections.values())

    def to_yaml(self) -> str:
        """The options as YAML, which is a template again."""
        return dump_mapping(self.values())

    def changed(self, origin: Origin, **values: Any) -> ExperimentConfig:
        """This configuration with other values of some options, set by `origin`.

        Raises
        ------
        OptionsError
            A value is wrong, the options can't be combined, or there is no such option.
        """
        sections, problems = self.sections, Problems()
        unknown = values.keys() - {key for options in sections.values() for key in type(options).model_fields}
        for key in sorted(unknown):
            problems.add("there is no such option in this run", origin, key, str(values[key]))
        for name, options in sections.items():
            own = {key: values[key] for key in type(options).model_fields if key in values}
            if not own:
                continue
            made, wrong = check(type(options), {**options.model_dump(mode="json"), **own})
            for key, faults in wrong.items():
                problems.add("; ".join(map(str, faults)), origin, key, str(values.get(key, "")))
            if made is not None:
                sections[name] = made
        conflict = None if problems.found else find_conflict(sections, CONFLICTS)
        if conflict is not None:
            problems.add(conflict, about=f"options of model {self.run.model_code}")
        problems.raise_if_any()
        origins = {**self.origins, **dict.fromkeys(values, origin)}
        return ExperimentConfig.of(Resolved(self.run.mode, sections, origins, self.templates))

    def with_run(self, origin: Origin, **values: Any) -> ExperimentConfig:
        """This configuration with other values of the section "run", which are not checked."""
        origins = {**self.origins, **dict.fromkeys(values, origin)}
        return replace(self, run=self.run.model_copy(update=values), origins=origins)

    def without_start_options(self) -> ExperimentConfig:
        """This configuration as it is recorded: without options that concern one start only."""
        return replace(self, run=self.run.model_copy(update={"overwrite": False, "resume_training": False}))


def _chosen(registry: Mapping[str, type[T]], code: str | None) -> type[T]:
    """The component with this code, which is never null once options are resolved."""
    if code is None:
        raise TypeError("a component of the run is not chosen: its options were not resolved")
    return registry[code]


def protocol_conflict(sections: Mapping[str, Options]) -> str | None:
    """Why the split, the dataloader and the metric can't be combined; None if they can."""
    run, evaluation = sections.get("run"), sections.get("evaluation")
    if not isinstance(run, RunOptions) or not isinstance(evaluation, EvaluationOptions) or "split" not in sections:
        return None
    trainer = sections.get("trainer")
    if isinstance(trainer, TrainerOptions) and trainer.train_on == "all" and run.mode in ("tune", "compare"):
        return f"train_on all leaves nothing to evaluate on, so command {run.mode} can't use it"
    dataset = sections.get("dataset")
    own_split = isinstance(dataset, OwnSplitOptions) and dataset.has_split
    if run.split == "files" and not own_split:
        return "split files needs dataset file with validation_path and test_path, or split_column"
    if own_split and run.split != "files":
        return f"validation_path, test_path and split_column are for split files, not for {run.split}"
    loader = _chosen(DATALOADERS, run.dataloader_code)
    return evaluation.conflict(run.split, SPLITS[run.split].predicts_ratings, loader)


def model_conflict(sections: Mapping[str, Options]) -> str | None:
    """Why the model can't be combined with the other options; None if it can."""
    run = sections.get("run")
    if not isinstance(run, RunOptions) or run.model_code is None or "model" not in sections:
        return None
    model, trainer, dataloader = MODELS[run.model_code], sections.get("trainer"), sections.get("dataloader")
    conflict = model.conflict(sections)
    if conflict is None and isinstance(trainer, TrainerOptions):
        conflict = trainer.model_conflict(
            model.code, model.has_stages, model.touches_rows(sections["model"]), model.learns_in_parts()
        )
    if conflict is None and isinstance(dataloader, DataloaderOptions):
        conflict = dataloader.model_conflict(model.code, model.knows_request_time(sections["model"]))
    return conflict


CONFLICTS = (protocol_conflict, model_conflict)  # what is checked when options, each valid alone, are put together
