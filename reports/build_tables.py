"""Builds comparison tables from recorded runs, one per dataset, split and protocol."""

import math
import statistics
from collections.abc import Sequence

from common.errors import UserError
from reports.collect import Phase, Run, relabelled
from reports.comparable import available, check_metrics, measured_candidates, protocol_groups, variants
from reports.differences import Comparison, compare_users, user_intervals
from reports.names import rows_by_name
from reports.options import ReportOptions, default_metrics
from reports.published import PublishedValue, published_values
from reports.table import Cell, Column, Row, Table, is_deterministic

Labelled = dict[str, list[Run]]
Intervals = dict[tuple[str, str], tuple[float, float]]  # (label, column) -> low, high
Values = dict[str, list[list[float]]]  # values[label][column]: one per seed that has the metric


def build_tables(runs: Sequence[Run], options: ReportOptions) -> list[Table]:
    """Build a table per dataset, split and protocol, sorted by name.

    Pilot runs and runs without values of the phase (such as the trials of a search, which are not tested) are left out.
    Raises UserError if none is left, or if no run has the baseline's label, a candidate set or a requested metric.
    """
    pilots = [run for run in runs if run.record.options.get("pilot")]
    trials = [run for run in runs if run not in pilots and not run.record.metrics(options.phase)]
    kept = [run for run in runs if run not in pilots and run not in trials]
    if not kept and trials:
        raise UserError(f"none of the runs has {options.phase} values; choose another --phase or other runs")
    if not kept:
        raise UserError("all of the runs are pilot runs, which only check that a command works; choose other runs")
    candidates = measured_candidates(kept, options.phase, options.candidates)
    if options.metrics is not None:
        check_metrics(kept, options.phase, candidates, options.metrics)
    notes = [f"pilot runs left out: {', '.join(run.name for run in pilots)}"] if pilots else []
    notes += [f"runs without {options.phase} values left out: {len(trials)}"] if trials else []
    kept, labels = relabelled(kept, options.new_labels)
    blocks = []
    for dataset, split in sorted({(run.record.data.name, run.record.split) for run in kept}):
        own = [run for run in kept if (run.record.data.name, run.record.split) == (dataset, split)]
        groups = protocol_groups(own, options.candidates)
        for variant, (_, members) in zip(variants(groups), groups, strict=True):
            rows, more = rows_by_name(members, labels)
            blocks.append(((dataset, variant, split), rows, [*notes, *more]))
    known = {name for _, labelled, _ in blocks for name in labelled}
    for name in labels.keys() if options.baseline is None else [*labels, options.baseline]:
        if name not in known and labels.get(name) not in known:
            what = "of the baseline" if name == options.baseline else "in --labels"
            raise UserError(f"no row has the name {name!r} {what}{available(name, known)}")
    return [_table(names, labelled, options, remarks) for names, labelled, remarks in blocks]


def _table(names: tuple[str, str, str], labelled: Labelled, options: ReportOptions, notes: list[str]) -> Table:
    runs = [run for repeats in labelled.values() for run in repeats]
    dataset, variant, split = names
    columns = _columns(runs, options)
    values = {
        label: [_values(repeats, column, options.phase) for column in columns] for label, repeats in labelled.items()
    }
    references = [_reference(values, place, column, options) for place, column in enumerate(columns)]
    pairs = [
        (column.candidates, column.metric, label, reference)
        for place, (column, reference) in enumerate(zip(columns, references, strict=True))
        for label in labelled
        if reference is not None and label != reference and values[label][place] and values[reference][place]
    ]
    comparisons, untested = compare_users(labelled, pairs, options)
    intervals = user_intervals(labelled, sorted({column.key for column in columns}), options)
    notes = [*notes, *_remarks(runs)]
    rows = [
        _row(label, repeats, values, columns, comparisons, intervals, options)
        for label, repeats in _ordered(labelled, values, columns, options)
    ]
    return Table(
        dataset=dataset,
        variant=variant,
        split=split,
        filter_seen=runs[0].record.filter_seen,
        phase=options.phase,
        baseline=options.baseline if options.baseline in labelled else None,
        significance=options.significance if comparisons else None,
        alpha=options.alpha,
        intervals=options.intervals if intervals else None,
        columns=tuple(columns),
        rows=tuple(rows),
        comparisons=tuple(comparisons),
        notes=(*notes, *untested),
    )


def _remarks(runs: Sequence[Run]) -> list[str]:
    """Return notes on differences between the runs that don't prevent a comparison."""
    remarks = []
    choosers = sorted({str(run.record.protocol.get("selected_by")) for run in runs})
    if len(choosers) > 1:
        remarks.append(f"the best epochs were selected by different validation metrics: {', '.join(choosers)}")
    return remarks


def _columns(runs: Sequence[Run], options: ReportOptions) -> list[Column]:
    """Return the columns of a table."""
    shown = options.candidates or measured_candidates(runs, options.phase, None)
    measured = {
        name: {metric for run in runs for metric in run.record.metrics(options.phase).get(name, {})} for name in shown
    }
    metrics = options.metrics or default_metrics(set().union(*measured.values()))
    return [
        Column(name, _negatives(runs, name, options.phase), metric)
        for name in shown
        for metric in metrics
        if metric in measured[name]
    ]


def _negatives(runs: Sequence[Run], candidates: str, phase: Phase) -> int | None:
    """Return the number of sampled negatives; None for the full ranking and ratings, or if it is not recorded."""
    if candidates in ("full", "ratings"):
        return None
    having = [run.record.options for run in runs if candidates in run.record.metrics(phase)]
    size = having[0].get("test_negative_sample_size") if having else None
    return size if isinstance(size, int) else None


def _values(repeats: Sequence[Run], column: Column, phase: Phase) -> list[float]:
    """Return a label's values in a column, one per seed that has the metric."""
    rows = [run.record.metrics(phase).get(column.candidates, {}) for run in repeats]
    return [row[column.metric] for row in rows if column.metric in row]


def _reference(values: Values, place: int, column: Column, options: ReportOptions) -> str | None:
    """Return the label with which the others are compared in a column: the baseline if given, else the best."""
    if options.baseline is not None:
        return options.baseline if options.baseline in values else None
    having = [label for label in values if values[label][place]]
    return max(having, key=lambda label: column.sign * statistics.fmean(values[label][place]), default=None)


def _ordered(
    labelled: Labelled, values: Values, columns: Sequence[Column], options: ReportOptions
) -> list[tuple[str, list[Run]]]:
    """Return the labels with their runs in the requested order; labels without a value in the first column are last."""
    pairs = list(labelled.items())
    if options.order == "label":
        return sorted(pairs)
    if options.order == "given" or not columns:
        return pairs

    def worth(pair: tuple[str, list[Run]]) -> float:
        first = values[pair[0]][0]
        return columns[0].sign * statistics.fmean(first) if first else -math.inf

    return sorted(pairs, key=worth, reverse=True)


def _row(
    label: str,
    repeats: list[Run],
    values: Values,
    columns: Sequence[Column],
    comparisons: Sequence[Comparison],
    intervals: Intervals,
    options: ReportOptions,
) -> Row:
    records = [run.record for run in repeats]
    return Row(
        label=label,
        runs=tuple(repeats),
        cells=tuple(
            _cell(
                label,
                repeats,
                {name: row[place] for name, row in values.items()},
                column,
                comparisons,
                intervals.get((label, column.key)),
                options,
            )
            for place, column in enumerate(columns)
        ),
        parameters=_mean([record.parameters for record in records]),
        epochs=_mean([record.epochs for record in records]),
        minutes=_mean([record.minutes for record in records]),
        peak_memory_mib=_mean([record.peak_memory_mib for record in records]),
    )


def _cell(
    label: str,
    repeats: Sequence[Run],
    values: dict[str, list[float]],
    column: Column,
    comparisons: Sequence[Comparison],
    interval: tuple[float, float] | None,
    options: ReportOptions,
) -> Cell | None:
    """Return the cell of a label in a column; `values` are the values of all labels in this column, one per seed."""
    if not values[label]:
        return None
    means = {name: statistics.fmean(theirs) for name, theirs in values.items() if theirs}
    mean = means[label]
    standings = sorted({column.sign * other for other in means.values()}, reverse=True)
    place = standings.index(column.sign * mean) + 1
    base = means.get(options.baseline) if options.baseline not in (None, label) else None
    return Cell(
        mean=mean,
        deviation=statistics.stdev(values[label]) if len(values[label]) > 1 and not is_deterministic(repeats) else None,
        interval=interval,
        place=place if place <= 2 and len(standings) > 1 and column.has_best else None,
        gain=mean / base - 1 if base else None,
        comparison=next(
            (c for c in comparisons if (c.label, c.candidates, c.metric) == (label, column.candidates, column.metric)),
            None,
        ),
        published=_published(repeats[0], column),
    )


def _published(run: Run, column: Column) -> tuple[PublishedValue, ...]:
    record = run.record
    found = published_values(
        record.label, record.data.name, record.split, column.candidates, column.negatives, column.metric
    )
    return tuple(found)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
