"""Statistics and curves of datasets, read from the files of `--mode stats --stats_json`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import UserError
from reports.chart import Chart, Figure, Point, Series
from reports.layout import Grid, Kind, Text
from reports.numbers import DASH
from reports.pictures import draw


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, protected_namespaces=())


class CurveRecord(_Read):
    """A line through the points (x, y)."""

    x: list[float]
    y: list[float]


class DatasetRecord(_Read):
    """The statistics and curves of one dataset."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    label: str
    hash: str
    curves: dict[str, CurveRecord | None] = {}

    def statistic(self, name: str) -> Any:
        """Return a statistic by name; None if the dataset doesn't have it."""
        return (self.model_extra or {}).get(name)


class StatsFile(_Read):
    """The whole file."""

    schema_version: Literal[1] = Field(alias="schema")
    datasets: list[DatasetRecord]


STATISTICS: dict[str, tuple[str, Callable[[float], str]]] = {
    "users": ("users", "{:,.0f}".format),
    "items": ("items", "{:,.0f}".format),
    "interactions": ("interactions", "{:,.0f}".format),
    "density": ("density", lambda share: f"{share * 100:.3g} %"),
    "length_mean": ("mean length", "{:,.1f}".format),
    "length_median": ("median length", "{:,.1f}".format),
    "repeat_rate": ("repeat rate", lambda share: f"{share * 100:.1f} %"),
    "span_days": ("time span in days", "{:,.0f}".format),
    "future_leak": ("temporal leakage", lambda share: f"{share * 100:.1f} %"),
}
# Title, x label, y label, logarithmic axes, whether y is a fraction.
CURVES: dict[str, tuple[str, str, str, str, bool]] = {
    "popularity": ("Item popularity", "rank of the item", "interactions", "xy", False),
    "lengths": ("History length", "interactions", "users with at least as many", "x", True),
    "repeats": ("Repeat consumption", "position in the history", "interactions with a repeated item", "x", True),
    "activity": ("Activity over time", "days since the first interaction", "interactions per day", "y", False),
    "gaps": ("Time between interactions", "time to the next interaction, at most (days)", "interactions", "x", True),
    "future": (
        "Temporal leakage under leave-one-out",
        "training interactions newer than the target, at most",
        "test targets",
        "",
        True,
    ),
}
SECONDS_OF_DAY = 86_400
# x ticks of a chart that replace the default ones
TICKS: dict[str, tuple[tuple[float, str], ...]] = {
    "gaps": (
        (1 / SECONDS_OF_DAY, "1 s"),
        (60 / SECONDS_OF_DAY, "1 min"),
        (3600 / SECONDS_OF_DAY, "1 h"),
        (1, "1 day"),
        (365, "1 year"),
    )
}


def read_stats(paths: Sequence[Path]) -> list[DatasetRecord]:
    """Read the datasets of all files. Raises UserError if one can't be read or is not a statistics file."""
    found: list[DatasetRecord] = []
    for path in paths:
        try:
            found += StatsFile.model_validate(json.loads(path.read_text(encoding="utf-8"))).datasets
        except OSError as error:
            raise UserError(f"can't read {path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(
                f"{path} is not a file of --mode stats --stats_json "
                f"({'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']})"
            ) from error
        except ValueError as error:
            raise UserError(
                f"{path} is not valid JSON ({error}): create it again by --mode stats --stats_json"
            ) from error
    return found


def stats_grid(datasets: Sequence[DatasetRecord]) -> Grid:
    """Lay out the statistics, a row per dataset."""
    headings = ("Dataset", *(name for name, _ in STATISTICS.values()), "first", "last", "hash")
    rows = [
        (
            Text(each.label),
            *(_statistic_cell(each.statistic(key), plain) for key, (_, plain) in STATISTICS.items()),
            *(Text(str(each.statistic(key) or DASH)[:10]) for key in ("first_time", "last_time")),
            Text(each.hash),
        )
        for each in datasets
    ]
    kinds: list[Kind] = ["value" for _ in headings]
    kinds[0] = "name"
    return Grid("Data", ("",) * len(headings), headings, tuple(kinds), tuple(rows))


def _statistic_cell(value: Any, plain: Callable[[float], str]) -> Text:
    return Text(plain(value), sort=float(value)) if isinstance(value, int | float) else Text(DASH)


def stats_figure(datasets: Sequence[DatasetRecord], colours: Mapping[str, int]) -> Figure:
    """Return the curves of the datasets, a chart per kind of curve."""
    charts = tuple(_charts(datasets, colours).values())
    notes = [] if charts else ["The files have no curves."]
    starts = [f"{each.label} {str(start)[:10]}" for each in datasets if (start := each.statistic("first_time"))]
    if starts:
        notes.append(f"First interaction: {', '.join(starts)}.")
    untimed = [each.label for each in datasets if each.curves and each.curves.get("activity") is None]
    if untimed:
        notes.append(f"Without timestamps: {', '.join(untimed)}.")
    return Figure("data", "Curves of the datasets", charts, tuple(notes))


def draw_dataset_curves(datasets: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw the curves of datasets (as in a file of `--mode stats`): `overview.png`, and a picture per kind of curve.

    Returns the files. Raises UserError if matplotlib is missing or the folder can't be written.
    """
    records = [DatasetRecord.model_validate(each) for each in datasets]
    colours = {each.label: number for number, each in enumerate(records)}
    title = records[0].label if len(records) == 1 else f"{len(records)} datasets"
    overview = stats_figure(records, colours)
    figures = {"overview": overview}
    for name, chart in _charts(records, colours).items():
        figures[name] = Figure(name, chart.title, (replace(chart, title=""),), overview.notes)
    for name, figure in figures.items():
        draw(figure, title, [folder / f"{name}.png"])
    return [folder / f"{name}.png" for name in figures]


def _charts(datasets: Sequence[DatasetRecord], colours: Mapping[str, int]) -> dict[str, Chart]:
    """Return a chart per kind of curve that any of the datasets has."""
    charts = {}
    for name, (title, x_label, y_label, logs, share) in CURVES.items():
        series = tuple(
            Series(each.label, each.label, colours[each.label], _points(name, curve, logs))
            for each in datasets
            if (curve := each.curves.get(name)) is not None
        )
        if series:
            charts[name] = Chart(
                title,
                "lines",
                x_label,
                y_label,
                series,
                x_log="x" in logs,
                y_log="y" in logs,
                y_percent=share,
                ticks=TICKS.get(name, ()),
            )
    return charts


def _points(name: str, curve: CurveRecord, logs: str) -> tuple[Point, ...]:
    """Return the points of a curve without those that a logarithmic axis can't show."""
    unit = SECONDS_OF_DAY if name in ("gaps", "activity") else 1
    start = curve.x[0] if name == "activity" and curve.x else 0
    return tuple(
        Point((x - start) / unit, y)
        for x, y in zip(curve.x, curve.y, strict=False)
        if not ("x" in logs and x <= 0) and not ("y" in logs and y <= 0)
    )
