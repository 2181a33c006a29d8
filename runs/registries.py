"""The registries of this project, for reading options."""

from __future__ import annotations

from collections.abc import Mapping

from dataloaders import DATALOADERS
from datasets import DATASETS, SPLITS
from evaluation.options import EvaluationOptions
from models import MODELS
from options.registries import Registries
from runs.command import Command
from runs.config import CONFLICTS
from runs.dataset_paths import paths_as_files
from runs.run_options import RunOptions
from trainers import TRAINERS


def make_registries(commands: Mapping[str, Command]) -> Registries:
    """The registries with all components and these commands."""
    of_commands = [command.conflict for command in commands.values() if command.conflict is not None]
    return Registries(
        run=RunOptions,
        components={
            "dataset": DATASETS,
            "split": SPLITS,
            "model": MODELS,
            "dataloader": DATALOADERS,
            "trainer": TRAINERS,
        },
        shared={"evaluation": EvaluationOptions},
        commands=commands,
        conflicts=(*CONFLICTS, *of_commands),
        rewrite=paths_as_files,
    )
