"""Critical-difference diagrams: labels ranked over the datasets of a report, per split and column."""

from collections.abc import Mapping, Sequence

import numpy as np

from reports.chart import COLOURED, GREY, Chart, Figure, Point, Series
from reports.critical import MIN_DATASETS, MIN_LABELS, rank_over_datasets
from reports.figures import heading
from reports.numbers import probability
from reports.table import Column, Table

TITLE = "Critical differences over datasets"


def ranks_figure(tables: Sequence[Table], alpha: float) -> Figure:
    """Rank labels over the datasets with the same split; without charts where there are too few datasets."""
    charts, notes = [], []
    splits = sorted({table.split for table in tables})
    for split in splits:
        blocks = _one_of_each_dataset([table for table in tables if table.split == split])
        for column in dict.fromkeys(column for table in blocks for column in table.columns if column.has_best):
            chart, note = _chart(blocks, column, split if len(splits) > 1 else "", alpha)
            if chart is not None:
                charts.append(chart)
                notes.append(note)
    if charts:
        notes.insert(
            0,
            "Mean rank over datasets (1 = best). Bars join models that don't differ significantly in the Nemenyi test "
            f"at level {alpha:g} (Dem\N{LATIN SMALL LETTER S WITH CARON}ar 2006).",
        )
    return Figure("ranks", TITLE, tuple(charts), tuple(notes))


def _one_of_each_dataset(tables: Sequence[Table]) -> list[Table]:
    """Return the largest table of each dataset: its variants are no independent datasets."""
    largest: dict[str, Table] = {}
    for table in tables:
        if table.dataset not in largest or len(table.rows) > len(largest[table.dataset].rows):
            largest[table.dataset] = table
    return list(largest.values())


def _chart(blocks: Sequence[Table], column: Column, split: str, alpha: float) -> tuple[Chart | None, str]:
    """Return the diagram of a column and a note on it; None if it has too few labels or datasets."""
    means = {table.name: _means(table, column) for table in blocks if column in table.columns}
    datasets, labels = common_part({name: set(each) for name, each in means.items()})
    title = ", ".join(part for part in (heading(column), split) if part)
    if len(datasets) < MIN_DATASETS or len(labels) < MIN_LABELS:
        return None, ""
    values = np.array([[column.sign * means[name][label] for label in labels] for name in datasets])
    ranking = rank_over_datasets(values, alpha)
    places = ranking.mean_ranks
    series = tuple(
        Series(label, label, place if place < COLOURED else GREY, (Point(rank, 0, text=f"mean rank {rank:.2f}"),))
        for place, (rank, label) in enumerate(sorted(zip(places, labels, strict=True)))
    )
    left_out = sorted({label for each in means.values() for label in each} - set(labels))
    without = sorted(set(means) - set(datasets))
    note = (
        f"{title}: {', '.join(datasets)}; Friedman test p = {probability(ranking.p_value)}"
        + ("; not significant, so all models are joined" if ranking.p_value >= alpha else "")
        + (f"; left out because not on all of these: {', '.join(left_out)}" if left_out else "")
        + (f"; datasets left out because they lack some of these models: {', '.join(without)}" if without else "")
        + "."
    )
    chart = Chart(
        title=title,
        kind="ranks",
        x_label="mean rank",
        y_label="",
        series=series,
        cliques=tuple((places[clique[0]], places[clique[-1]]) for clique in ranking.cliques),
        critical=ranking.critical_difference,
    )
    return chart, note


def common_part(labels_of: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Return datasets and the labels that all of them have, such that the two make the largest full table.

    Considered are the datasets that share the labels of one or two of them. Both are empty if no part is large enough.
    """
    names = list(labels_of)
    best: tuple[list[str], list[str]] = ([], [])
    for first in names:
        for second in names:
            labels = labels_of[first] & labels_of[second]
            datasets = [name for name in names if labels <= labels_of[name]]
            enough = len(datasets) >= MIN_DATASETS and len(labels) >= MIN_LABELS
            if enough and len(datasets) * len(labels) > len(best[0]) * len(best[1]):
                best = datasets, sorted(labels)
    return best


def _means(table: Table, column: Column) -> dict[str, float]:
    place = table.columns.index(column)
    return {row.label: cell.mean for row in table.rows if (cell := row.cells[place]) is not None}
