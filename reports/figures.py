"""The figures of a table: learning curves, metric vs. k, accuracy vs. training time, and groups of users."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from reports.chart import COLOURED, GREY, Chart, Figure, Mark, Point, Series
from reports.collect import Run
from reports.learning import LearningCurve, read_curve
from reports.notes import CUT_SHORT
from reports.numbers import DAGGER, with_unit
from reports.options import ReportOptions
from reports.table import Column, Row, Table
from reports.user_groups import (
    USER_ATTRIBUTES,
    UserGroups,
    group_users,
    means_by_group,
    several_splits,
    user_attributes,
)

Colours = Mapping[str, int]  # colour index of each label of a table
LOG_FROM = 20  # ratio of the longest to the shortest training time from which the axis is logarithmic
UNEVEN = 4  # ratio of the longest to the middle learning curve from which the axis is logarithmic
MIN_EPOCHS = 2  # of a learning curve: a fitted model has none
RECALLS = ("Recall", "HR")


def figures_of(table: Table, options: ReportOptions, colours: Colours) -> list[Figure]:
    """Return the figures of a table that have charts. Raises UserError if the users of its runs aren't comparable."""
    curves = [(row, run, read_curve(run)) for row in table.rows for run in row.runs]
    figures = [
        _against_minutes(table, colours),
        _learning_curves(table, colours, curves, "epoch"),
        _learning_curves(table, colours, curves, "minutes"),
        _against_k(table, options, colours),
        _by_user_group(table, options, colours),
    ]
    return [figure for figure in figures if figure.charts]


def colours_of(tables: Sequence[Table]) -> list[dict[str, int]]:
    """Return the colours of each table's labels: one each for the first rows, grey for the rest.

    A label has the same colour in all tables, if that is free.
    """
    known: dict[str, int] = {}
    found = []
    for table in tables:
        first = [row.label for row in table.rows[:COLOURED]]
        own = {label: known[label] for label in first if label in known}
        for label in list(own):  # two labels with one colour: the later one gets another
            if list(own.values()).count(own[label]) > 1:
                del own[label]
        free = [colour for colour in range(COLOURED) if colour not in own.values()]
        for label in first:
            if label not in own:
                own[label] = free.pop(0)
                known.setdefault(label, own[label])
        found.append({row.label: own.get(row.label, GREY) for row in table.rows})
    return found


def heading(column: Column) -> str:
    """Return the title of a column: "NDCG@10, 100 popularity-sampled negatives"; of ratings: "RMSE"."""
    return column.metric if column.candidates == "ratings" else f"{column.metric}, {column.described_candidates}"


def _name(row: Row) -> str:
    return f"{row.label} {DAGGER}" if row.cut_short else row.label


def _dagger_note(table: Table) -> list[str]:
    return [CUT_SHORT] if any(row.cut_short for row in table.rows) else []


def _learning_curves(
    table: Table,
    colours: Colours,
    curves: Sequence[tuple[Row, Run, LearningCurve | None]],
    axis: Literal["epoch", "minutes"],
) -> Figure:
    by_time = axis == "minutes"
    known = [(row, run, curve) for row, run, curve in curves if curve is not None and len(curve.epochs) >= MIN_EPOCHS]
    if by_time:
        known = [(row, run, curve) for row, run, curve in known if math.isfinite(curve.minutes[-1])]
    charts = []
    for column in table.columns:
        having = [(row, run, curve) for row, run, curve in known if column.key in curve.values]
        if having:
            series = tuple(
                _curve_series(row, run, curve, column, colours[row.label], curve.minutes if by_time else curve.epochs)
                for row, run, curve in having
            )
            label = "minutes of training" if by_time else axis
            charts.append(
                Chart(heading(column), "lines", label, f"validation {column.metric}", series, x_log=_is_uneven(series))
            )
    stages = {mark.text for chart in charts for each in chart.series for mark in each.marks if mark.kind == "stage"}
    has_rings = any(mark.kind == "best" for chart in charts for each in chart.series for mark in each.marks)
    notes = ["Ring: best epoch."] if has_rings else []
    if stages:
        kinds = {stage.rpartition(" ")[0] for stage in stages}
        named = f", labelled with its {kinds.pop()}" if len(kinds) == 1 and "" not in kinds else ""
        notes.append(f"Tick: start of a stage{named}.")
    lacking = sorted({row.label for row, _, curve in curves if curve is None})
    if by_time:
        return Figure("curves_by_time", "Learning curves over time", tuple(charts), (*notes, *_dagger_note(table)))
    if lacking:
        notes.append(f"No learning curve was recorded for {', '.join(lacking)}.")
    return Figure("curves", "Learning curves", tuple(charts), (*notes, *_dagger_note(table)))


def _is_uneven(series: Sequence[Series]) -> bool:
    """Return whether one curve is so long that the others would be squeezed on a linear axis."""
    ends = sorted(each.points[-1].x for each in series if each.points)
    starts = [each.points[0].x for each in series if each.points]
    return len(ends) > 1 and min(starts) > 0 and ends[-1] > UNEVEN * ends[(len(ends) - 1) // 2]


def _curve_series(row: Row, run: Run, curve: LearningCurve, column: Column, colour: int, x: Sequence[float]) -> Series:
    values = curve.values[column.key]
    places = [place for place in range(len(values)) if math.isfinite(values[place])]
    marks = [
        Mark(x[place], values[place], "stage", curve.stages[place])
        for place in (curve.stage_starts() if colour != GREY else ())
        if place in places
    ]
    best = run.record.best_epoch
    if best in curve.epochs and len(curve.epochs) > 1:
        place = curve.epochs.index(best)
        marks.append(Mark(x[place], values[place], "best", f"best epoch, {curve.stages[place]}"))
    return Series(
        label=row.label,
        name=f"{_name(row)}, seed {run.record.seed}" if len(row.runs) > 1 else _name(row),
        colour=colour,
        points=tuple(Point(x[place], values[place], text=curve.stages[place]) for place in places),
        marks=tuple(marks),
    )


def _against_k(table: Table, options: ReportOptions, colours: Colours) -> Figure:
    charts = []
    stems = {(column.candidates, column.metric.split("@")[0]): column for column in table.columns}
    for (candidates, stem), column in stems.items():
        series, cuts = [], set()
        for row in table.rows:
            by_k = _values_by_k(row, candidates, stem, options)
            cuts |= set(by_k)
            points = tuple(_spread(k, values) for k, values in sorted(by_k.items()))
            if points:
                series.append(Series(row.label, _name(row), colours[row.label], points))
        if len(cuts) > 1:
            ticks = tuple((float(k), str(k)) for k in sorted(cuts))
            title = f"{stem}, {column.described_candidates}"
            charts.append(Chart(title, "lines", "k", f"{stem}@k", tuple(series), x_log=True, ticks=ticks))
    notes = _dagger_note(table) if charts else ["The runs were evaluated at one cut-off only."]
    return Figure("k", "Metric vs. k", tuple(charts), tuple(notes))


def _values_by_k(row: Row, candidates: str, stem: str, options: ReportOptions) -> dict[int, list[float]]:
    """Return a label's values of `stem`@k by k, one per seed."""
    found: dict[int, list[float]] = {}
    for run in row.runs:
        for name, value in run.record.metrics(options.phase).get(candidates, {}).items():
            metric, _, k = name.partition("@")
            if metric == stem and k.isdigit():
                found.setdefault(int(k), []).append(value)
    return found


def _spread(x: float, values: Sequence[float]) -> Point:
    """Return the mean over seeds with an error bar of one standard deviation."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Point(x, mean)
    deviation = statistics.stdev(values)
    return Point(x, mean, mean - deviation, mean + deviation, f"{len(values)} seeds")


def _against_minutes(table: Table, colours: Colours) -> Figure:
    charts = []
    for place, column in enumerate(table.columns):
        series = []
        for row in table.rows:
            cell = row.cells[place]
            if cell is None or row.minutes is None:
                continue
            low, high = None, None
            if cell.deviation is not None:
                low, high = cell.mean - cell.deviation, cell.mean + cell.deviation
            points = (Point(row.minutes, cell.mean, low, high),)
            series.append(Series(row.label, _name(row), colours[row.label], points))
        if column.has_best and len(series) > 1:
            minutes = [each.points[0].x for each in series]
            charts.append(
                Chart(
                    title=heading(column),
                    kind="scatter",
                    x_label="training time in minutes",
                    y_label=column.metric,
                    series=tuple(series),
                    x_log=min(minutes) > 0 and max(minutes) / min(minutes) > LOG_FROM,
                    front=pareto_front(series, column.sign),
                )
            )
    notes = [
        "Line: Pareto front, the models for which no other model is both more accurate and as fast.",
        "Training time depends on the machine and on its other load.",
    ]
    hardware = sorted({run.record.device or "unknown" for row in table.rows for run in row.runs})
    if len(hardware) > 1:
        notes.append(f"Hardware differs: {versus(hardware)}.")
    missing = ["Fewer than two models have both a value and a training time."]
    return Figure(
        "minutes", "Accuracy vs. training time", tuple(charts), (*(notes if charts else missing), *_dagger_note(table))
    )


def versus(hardware: Sequence[str], word: str = "vs.") -> str:
    """Return different hardware in words: "1 vs. 2 CPU threads"."""
    threads = [re.fullmatch(r"cpu, (\d+) threads?", each) for each in hardware]
    if all(threads):
        return with_unit(f"{f' {word} '.join(str(match[1]) for match in threads if match)} CPU threads")
    return f" {word} ".join(map(with_unit, hardware))


def pareto_front(series: Sequence[Series], sign: int) -> tuple[str, ...]:
    """Return the one-point series with a higher `sign` * y than all others at the same or a lower x."""
    names, best = [], -math.inf
    for each in sorted(series, key=lambda each: (each.points[0].x, -sign * each.points[0].y)):
        if sign * each.points[0].y > best:
            best = sign * each.points[0].y
            names.append(each.name)
    return tuple(names)


def _by_user_group(table: Table, options: ReportOptions, colours: Colours) -> Figure:
    title = "Recall by item popularity and by history length"
    runs = [run for row in table.rows for run in row.runs]
    attributes = user_attributes(runs) if options.phase == "test" else None
    if attributes is None:
        why = (
            "Each seed has its own split, so a user's targets differ between seeds."
            if several_splits(runs)
            else "These runs did not record history length and target popularity per user; newer runs do."
            if options.phase == "test"
            else "Per-user values are recorded for the test phase only."
        )
        return Figure("users", title, (), (why,))
    recalls = [column for column in table.columns if column.metric.split("@")[0] in RECALLS]
    charts = []
    lacking: dict[str, None] = {}
    for attribute, (by, x_label) in USER_ATTRIBUTES.items():
        groups = group_users(attributes[attribute])
        for column in recalls or table.columns[:1]:
            series, without = _group_series(table, column, groups, colours)
            lacking.update(dict.fromkeys(without))
            if series:
                ticks = tuple((float(place), name) for place, name in enumerate(groups.names))
                charts.append(
                    Chart(f"{heading(column)}, by {by}", "lines", x_label, column.metric, tuple(series), ticks=ticks)
                )
    notes = [
        "Groups have about equal size; lines only guide the eye. Error bars: 95 % confidence intervals of the mean."
    ]
    if lacking:
        notes.append(f"No per-user values were recorded for {', '.join(lacking)}.")
    return Figure("users", title, tuple(charts), (*notes, *_dagger_note(table)))


def _group_series(table: Table, column: Column, groups: UserGroups, colours: Colours) -> tuple[list[Series], list[str]]:
    """Return a series over the groups for each label, and the labels without per-user values."""
    series, lacking = [], []
    for row in table.rows:
        means = means_by_group(row.runs, column.key, groups)
        if means is None:
            lacking.append(row.label)
            continue
        points = tuple(
            Point(place, each.mean, each.mean - each.half_width, each.mean + each.half_width, f"{size:,} users")
            for place, (each, size) in enumerate(zip(means, groups.sizes, strict=True))
        )
        series.append(Series(row.label, _name(row), colours[row.label], points))
    return series, lacking
