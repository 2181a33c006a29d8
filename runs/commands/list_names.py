"""Command list: the names that options can take, a line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from pydantic import Field

from common.schema import RECORD, Options
from datasets import DATASETS, SPLITS
from evaluation.metrics import METRICS
from models import MODELS
from models.losses import LOSSES
from options import Resolved
from options.registries import TEMPLATES
from options.templates import first_comment, template_names
from runs.command import Command

Kind = Literal["commands", "models", "datasets", "splits", "templates", "metrics", "losses"]


class ListOptions(Options):
    """What to list."""

    list_of: Kind = Field("models", description="what to list", json_schema_extra=RECORD)


def _templates() -> Iterator[tuple[str, str]]:
    return ((name, first_comment(TEMPLATES / f"{name}.yaml")) for name in template_names(TEMPLATES))


def _metrics() -> Iterator[tuple[str, str]]:
    for name, metric in METRICS.items():
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        yield name, f"{_summary(metric.function)} ({direction})"


LISTS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "models": lambda: ((code, _summary(sys.modules[model.__module__])) for code, model in MODELS.items()),
    "datasets": lambda: ((code, dataset.description) for code, dataset in DATASETS.items()),
    "splits": lambda: ((code, split.description) for code, split in SPLITS.items()),
    "templates": _templates,
    "metrics": _metrics,
    "losses": lambda: ((name, loss.description) for name, loss in LOSSES.items()),
}


def _summary(what: object) -> str:
    """The first line of a docstring."""
    return (what.__doc__ or "").strip().partition("\n")[0]


def _run(resolved: Resolved, commands: Mapping[str, Command]) -> int:
    kind = resolved.section("list", ListOptions).list_of
    lines = [(code, command.description) for code, command in commands.items()]
    if kind != "commands":
        lines = list(LISTS[kind]())
    width = max(len(name) for name, _ in lines)
    for name, description in lines:
        print(f"{name:<{width}}  {description}".rstrip())
    return 0


def list_command(commands: Callable[[], Mapping[str, Command]]) -> Command:
    """The command; it is one of the `commands` that it can list."""
    return Command(
        ("run", "list"),
        lambda resolved: _run(resolved, commands()),
        ListOptions,
        description="list models, datasets, splits, templates, metrics, losses or commands, a line each",
        main_option="list_of",
        needs_torch=False,
    )
