"""The names of the folders of runs and searches, which are derived from their options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic_core import to_jsonable_python

import datasets
from common.files import expanded
from common.schema import Options, result_options
from common.texts import path_part, value_hash
from options.resolved import flat
from runs.config import ExperimentConfig
from trainers.run_folder import RunFolder

FOLDER_OPTIONS = ("experiment_root", "experiment_group", "experiment_name")


def run_folder(config: ExperimentConfig) -> RunFolder:
    """`<root>/<group>/<name>`; group and name are derived from the dataset and the options unless they are given.

    With a run's own `config.yaml` as the template, that run is evaluated or resumed in the file's folder.
    """
    own = _folder_of_template(config)
    if own is not None:
        return RunFolder(own)
    options = config.run
    name = options.experiment_name or f"{name_prefix(config)}{_digest(config, [])}"
    if options.pilot:  # a pilot clears its folder without asking, so it must never be a real run's
        name = f"pilot-{name}"
    return RunFolder(_group_folder(config) / name)


def run_of_another_label(config: ExperimentConfig) -> Path | None:
    """The folder of a run that differs from this one in its label only; None if there is none, or this one exists."""
    own = run_folder(config)
    if config.run.experiment_name or config.run.pilot or own.config.exists():
        return None
    pattern = f"*-seed{config.run.seed}-{_digest(config, [])}/config.yaml"
    found = sorted(file.parent for file in own.path.parent.glob(pattern) if not file.parent.name.startswith("pilot-"))
    return next(iter(found), None)


def search_folder(config: ExperimentConfig, *of_the_search: Options) -> Path:
    """The folder of a search over an experiment's options: `<root>/<group>/tune-<name>`."""
    options = config.run
    name = options.experiment_name or f"{name_prefix(config)}{_digest(config, of_the_search)}"
    return _group_folder(config) / f"tune-{'pilot-' if options.pilot else ''}{name}"


def _group_folder(config: ExperimentConfig) -> Path:
    return Path(config.run.experiment_root) / (config.run.experiment_group or path_part(_dataset_name(config), "run"))


def _dataset_name(config: ExperimentConfig) -> str:
    """The name of the dataset in results."""
    return datasets.name(config.run.dataset_code, config.dataset)


def name_prefix(config: ExperimentConfig) -> str:
    """The common prefix of derived names: the same for runs that differ in other options only."""
    return path_part(f"{config.label}-seed{config.run.seed}-", "run")


def _digest(config: ExperimentConfig, more: Sequence[Options]) -> str:
    """A hash of the options that decide results, including those of a search (`more`).

    Defaults are left out, so that options added by a later version don't change names.
    """
    sections = [*config.sections.values(), *more]
    values = result_options(flat(sections))
    if "dataset_name" in values:  # null = from the file's name
        values["dataset_name"] = _dataset_name(config)
    fields = {key: field for section in sections for key, field in type(section).model_fields.items()}
    for key in values.keys() & fields.keys():
        field = fields[key]
        if not field.is_required() and values[key] == to_jsonable_python(field.get_default(call_default_factory=True)):
            del values[key]
    for section in sections:  # the first name of a renamed option: runs from before have their folders by it
        for former, current in type(section).renamed.items():
            if current in values:
                values[former] = values.pop(current)
    return value_hash(values, 8)


def is_config_of_run(template: Path) -> bool:
    """Whether a template is the `config.yaml` of a run that has weights."""
    return template.name == "config.yaml" and (template.parent / "models").is_dir()


def _folder_of_template(config: ExperimentConfig) -> Path | None:
    """The folder of the run whose own `config.yaml` is the template, if that run is to be evaluated or resumed.

    None if another folder or other weights are given. Pilots and the runs of comparisons and searches always have
    their own folders.
    """
    options = config.run
    evaluated = options.mode in ("validate", "test")
    if options.pilot or config.origins["mode"].kind == "program":
        return None
    if not evaluated and not (options.mode == "train" and options.resume_training):
        return None
    template = next(filter(is_config_of_run, (expanded(Path(name)) for name in reversed(config.templates))), None)
    if template is None:
        return None
    for key in (*FOLDER_OPTIONS, "pretrained_weights") if evaluated else FOLDER_OPTIONS:
        origin = config.origins[key]
        of_template = origin.file is not None and origin.file.resolve() == template.resolve()
        if not origin.is_default and not of_template:
            return None
    return template.parent
