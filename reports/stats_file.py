"""Datasets' figures and curves, from the files that `--mode stats` writes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import UserError
from reports.chart import Chart, Figure, Point, Series
from reports.layout import DASH, Grid, Text


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, protected_namespaces=())


class CurveRecord(_Read):
    """A line through points."""

    x: list[float]
    y: list[float]


class DatasetRecord(_Read):
    """One dataset in a file of `--mode stats`."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    label: str
    hash: str
    curves: dict[str, CurveRecord | None] = {}

    def figure(self, name: str) -> Any:
        """A figure by its name; None where the data has none."""
        return (self.model_extra or {}).get(name)


class StatsFile(_Read):
    """The whole file."""

    schema_version: Literal[1] = Field(alias="schema")
    datasets: list[DatasetRecord]


FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "users": ("users", "{:,.0f}".format),
    "items": ("items", "{:,.0f}".format),
    "interactions": ("interactions", "{:,.0f}".format),
    "density": ("density", lambda share: f"{share * 100:.3g} %"),
    "length_mean": ("mean length", "{:,.1f}".format),
    "length_median": ("median length", "{:,.1f}".format),
    "repeat_rate": ("repeats", lambda share: f"{share * 100:.1f} %"),
    "span_days": ("days", "{:,.0f}".format),
    "future_leak": ("future leak", lambda share: f"{share * 100:.1f} %"),
}
# What each curve shows: title, x, y, the axes that are logarithmic, whether y is a share.
CURVES: dict[str, tuple[str, str, str, str, bool]] = {
    "popularity": ("Popularity of items", "item, by rank", "interactions", "xy", False),
    "lengths": ("Length of histories", "interactions", "users with at least so many", "x", True),
    "repeats": ("Repeats", "place in the history", "interactions with an item had before", "x", True),
    "activity": ("Activity over time", "days since the first interaction", "interactions a day", "y", False),
    "gaps": ("Time between interactions", "days to the next, at most", "interactions", "x", True),
    "future": ("Future in training", "share of training newer than the target, at most", "test targets", "", True),
}
SECONDS_OF_DAY = 86_400


def read_stats(paths: Sequence[Path]) -> list[DatasetRecord]:
    """The datasets of all files; raises UserError naming a file that can't be read or is something else."""
    found: list[DatasetRecord] = []
    for path in paths:
        try:
            found += StatsFile.model_validate(json.loads(path.read_text(encoding="utf-8"))).datasets
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(
                f"{path} is not what --mode stats --stats_json writes "
                f"({'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']})"
            ) from error
        except ValueError as error:
            raise UserError(f"{path} is no JSON ({error}): write it again with --mode stats --stats_json") from error
    return found


def stats_grid(datasets: Sequence[DatasetRecord]) -> Grid:
    """A row a dataset."""
    headings = ("Dataset", *(name for name, _ in FIGURES.values()), "first", "last", "hash")
    rows = [
        (
            Text(each.label),
            *(_figure(each.figure(key), plain) for key, (_, plain) in FIGURES.items()),
            *(Text(str(each.figure(key) or DASH)[:10]) for key in ("first_time", "last_time")),
            Text(each.hash),
        )
        for each in datasets
    ]
    return Grid("Data", ("",) * len(headings), headings, tuple(rows), ())


def _figure(value: Any, plain: Callable[[float], str]) -> Text:
    return Text(plain(value), sort=float(value)) if isinstance(value, int | float) else Text(DASH)


def stats_figure(datasets: Sequence[DatasetRecord], colours: Mapping[str, int]) -> Figure:
    """The datasets' curves beside each other."""
    charts = []
    for name, (title, x_label, y_label, logs, share) in CURVES.items():
        series = [
            Series(each.label, each.label, colours[each.label], _points(name, curve, logs))
            for each in datasets
            if (curve := each.curves.get(name)) is not None
        ]
        if series:
            charts.append(
                Chart(title, "lines", x_label, y_label, tuple(series), "x" in logs, "y" in logs, y_percent=share)
            )
    return Figure("data", "Datasets in curves", tuple(charts), () if charts else ("The files hold no curves.",))


def _points(name: str, curve: CurveRecord, logs: str) -> tuple[Point, ...]:
    """The points of a curve that its axes can show."""
    unit = SECONDS_OF_DAY if name in ("gaps", "activity") else 1
    start = curve.x[0] if name == "activity" and curve.x else 0
    return tuple(
        Point((x - start) / unit, y)
        for x, y in zip(curve.x, curve.y, strict=False)
        if not ("x" in logs and x <= 0) and not ("y" in logs and y <= 0)
    )
