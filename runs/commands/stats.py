"""Command stats: describe datasets side by side, in numbers and plots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.table import Table

import datasets
from common.errors import UserError, nearest
from common.files import write_text
from common.schema import Options
from datasets import DATASETS
from datasets.curves import Curve, curves
from options import Resolved
from options.problems import Problems, unknown_choice
from options.values import Fault, check
from options.yaml_text import flow
from reports import draw_dataset_curves
from runs.command import Command
from runs.dataset_paths import as_options
from runs.run_options import RunOptions

SCHEMA = 1


class StatsOptions(Options):
    """Which datasets to describe, and where to write the statistics."""

    datasets: tuple[str | dict[str, Any], ...] = Field(
        (),
        description="datasets to describe side by side: codes, files, or mappings like "
        "{dataset_code: ml-1m, min_uc: 10}; [] = dataset_code",
    )
    stats_json: Path | None = Field(None, description="file for the statistics and curves as JSON; null = none")
    stats_pictures: Path | None = Field(None, description="folder for plots of the curves as PNG; null = none")


@dataclass(frozen=True)
class Described:
    """One dataset: a column of the table."""

    label: str
    statistics: dict[str, Any]
    curves: dict[str, Curve | None]
    options: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The dataset's entry in the JSON file."""
        lines = {name: None if curve is None else curve.as_lists() for name, curve in self.curves.items()}
        return {"label": self.label, **self.statistics, "options": self.options, "curves": lines}


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _length(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _percent(value: float) -> str:
    return f"{value:.3%}" if 0 < value < 0.001 or 0.999 < value < 1 else f"{value:.1%}"


ROWS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "hash": ("hash", str),
    "users": ("users", _count),
    "items": ("items", _count),
    "interactions": ("interactions", _count),
    "density": ("density", _percent),
    "length_mean": ("interactions per user: mean", _length),
    "length_median": ("  median", _length),
    "length_p95": ("  95th percentile", _length),
    "length_max": ("  maximum", _count),
    "repeat_rate": ("repeat rate", _percent),
    "exact_copies": ("exact copies (user, item and second of another)", _count),
    "mean_rating": ("mean rating", "{:.3f}".format),
    "first_time": ("first interaction", lambda value: value[:10] if "T" in value else value),
    "last_time": ("last interaction", lambda value: value[:10] if "T" in value else value),
    "span_days": ("time span in days", _count),
    "tied_timestamps": ("interactions that share a timestamp with a neighbour", _percent),
    "tied_test_targets": ("test targets that depend on tie order *", _count),
    "tied_validation_targets": ("validation targets that depend on tie order *", _count),
    "future_leak": ("temporal leakage: test targets older than the newest training interaction *", _percent),
    "future_training": ("  training interactions newer than a test target, mean *", _percent),
}


def _run(resolved: Resolved) -> int:
    """Describe one dataset, or several."""
    options = resolved.section("stats", StatsOptions)
    chosen = _chosen(resolved, options)
    file, overwrite = options.stats_json, resolved.section("run", RunOptions).overwrite
    if file is not None and file.exists() and not overwrite:
        raise UserError(f"{file} exists: give another --stats_json, or --overwrite true to replace it")
    columns = []
    for code, dataset_options, _ in chosen:
        data = datasets.load(code, dataset_options)
        drawn = curves(data) if options.stats_json or options.stats_pictures else {}
        given = dataset_options.model_dump(mode="json")
        columns.append(Described(data.name, datasets.statistics(data), drawn, given))
    labels = _labels([column.label for column in columns], [own for _, _, own in chosen])
    columns = [replace(column, label=label) for column, label in zip(columns, labels, strict=True)]
    console = Console(markup=False, emoji=False)
    console.print(_table(columns))
    for column in columns:
        console.print(_funnel(column))
    if options.stats_json is not None:
        content = {"schema": SCHEMA, "datasets": [column.as_json() for column in columns]}
        write_text(options.stats_json, json.dumps(content, indent=1) + "\n")
        print(options.stats_json)
    if options.stats_pictures is not None:
        for path in draw_dataset_curves([column.as_json() for column in columns], options.stats_pictures):
            print(path)
    return 0


def _chosen(resolved: Resolved, options: StatsOptions) -> list[tuple[str, Any, dict[str, Any]]]:
    """(code, options, options given for this dataset alone) of each dataset.

    Options given for all datasets apply to those that have them. Raises OptionsError, which lists every error.
    """
    default_code = resolved.section("run", RunOptions).dataset_code
    if not options.datasets:
        return [(default_code, resolved.sections["dataset"], {})]
    shared = {key: value for key, value in resolved.values.items() if not resolved.origins[key].is_default}
    chosen: list[tuple[str, Any, dict[str, Any]]] = []
    problems, source = Problems(), resolved.origins["datasets"]
    for entry in options.datasets:
        own = as_options(entry)
        code = own.pop("dataset_code", default_code)
        if not isinstance(code, str) or code not in DATASETS:
            name = code if isinstance(code, str) else flow(code)
            message = unknown_choice("dataset", name, DATASETS) + " There is no file of that name either."
            problems.add(message, source, "datasets", name)
            continue
        schema = DATASETS[code].Options
        values = {key: value for key, value in shared.items() if key in schema.model_fields}
        made, wrong = check(schema, {**values, **own})
        for key, faults in wrong.items():
            value = str(own[key]) if key in own else ""
            problems.add(_what_is_wrong(key, faults, schema, code), source, "datasets", value)
        chosen.append((code, made, own))
    for key in sorted(key for key in shared if resolved.origins[key].kind == "command_line"):  # templates may give more
        takers = [own for code, _, own in chosen if key in DATASETS[code].Options.model_fields]
        if takers and all(key in own for own in takers):
            message = "has no effect: each dataset in `datasets` that has it sets its own value"
            problems.add(message, resolved.origins[key], key, str(shared[key]))
    problems.raise_if_any()
    return chosen


def listed_codes(options: StatsOptions, dataset_code: str) -> list[str]:
    """The code of each dataset in `datasets`, whether it exists or not."""
    codes = [as_options(entry).get("dataset_code", dataset_code) for entry in options.datasets]
    return [code if isinstance(code, str) else flow(code) for code in codes]


def _what_is_wrong(key: str, faults: list[Fault], schema: type[Options], code: str) -> str:
    if key and key not in schema.model_fields:
        hint = nearest(key, schema.model_fields)
        return f"`{key}` is not an option of {code}{'; ' + hint if hint else ''}"
    if any(fault.is_missing for fault in faults):
        return f"{code} needs {key}: write {{dataset_code: {code}, {key}: ...}}"
    return f"{f'{key} of {code}' if key else code}: {'; '.join(map(str, faults))}"


def _labels(names: list[str], options: list[dict[str, Any]]) -> list[str]:
    """Unique labels: the names of the datasets and, if there are several, each one's own options."""
    if len(names) == 1:
        return names
    short = [_label(name, own, ("dataset_path", "dataset_name")) for name, own in zip(names, options, strict=True)]
    labels: list[str] = []
    for name, own, wanted in zip(names, options, short, strict=True):
        first = wanted if short.count(wanted) == 1 else _label(name, own, ("dataset_name",))
        label, number = first, 2
        while label in labels:
            label, number = f"{first} ({number})", number + 1
        labels.append(label)
    return labels


def _label(name: str, options: dict[str, Any], left_out: tuple[str, ...]) -> str:
    """A dataset's name with its own options."""
    own = [f"{key} {value}" for key, value in options.items() if key not in left_out]
    return f"{name} ({', '.join(own)})" if own else name


def _table(columns: list[Described]) -> Table:
    """A table with a row per statistic and a column per dataset."""
    table = Table("", caption="* under leave-one-out", caption_justify="left")
    for column in columns:
        table.add_column(column.label, justify="right", overflow="fold")
    for key, (name, plain) in ROWS.items():
        values = [column.statistics[key] for column in columns]
        table.add_row(name, *("-" if value is None else plain(value) for value in values))
    return table


def _funnel(column: Described) -> Table:
    """What each step of reading and preparing a dataset left."""
    table = Table(f"{column.label}: what was left after each step")
    for count in ("rows", "users", "items"):
        table.add_column(count, justify="right")
    for step in column.statistics["funnel"]:
        counts = (step[count] for count in ("rows", "users", "items"))
        table.add_row(step["step"], *("" if count is None else _count(count) for count in counts))
    return table


STATS = Command(
    ("run", "dataset", "stats"),
    _run,
    StatsOptions,
    listed=listed_codes,
    needs_torch=False,
    description="describe datasets in numbers and plots",
)
