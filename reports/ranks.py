"""Critical-difference diagrams: labels ranked over the datasets of a report, per split and column."""

from collections.abc import Sequence

import numpy as np

from reports.chart import Chart, Figure, Point, Series
from reports.critical import LEAST_LABELS, rank_over_datasets
from reports.figures import Colours, heading
from reports.numbers import probability
from reports.table import Column, Table

TITLE = "Critical differences over datasets"


def ranks_figure(tables: Sequence[Table], alpha: float, colours: Colours) -> Figure:
    """Rank labels over the datasets with the same split and protocol. The notes say what is missing and why."""
    charts, notes = [], []
    splits = sorted({table.split for table in tables})
    for split in splits:
        blocks = [table for table in tables if table.split == split]
        if len(blocks) < 2:
            notes.append(
                f"{split}: all runs are on one dataset, {blocks[0].name}. Ranks need several datasets: a "
                "significant difference over the users of one says nothing about others."
            )
            continue
        for column in dict.fromkeys(column for table in blocks for column in table.columns if column.has_best):
            chart, remarks = _chart(blocks, column, split if len(splits) > 1 else "", alpha, colours)
            charts += [chart] if chart is not None else []
            notes += remarks
    if charts:
        notes.insert(
            0,
            "Mean rank over datasets (1 = best). Bars join models that don't differ significantly in the Nemenyi test "
            f"at level {alpha:g} (Dem\N{LATIN SMALL LETTER S WITH CARON}ar 2006).",
        )
    return Figure("ranks", TITLE, tuple(charts), tuple(notes))


def _chart(
    blocks: Sequence[Table], column: Column, split: str, alpha: float, colours: Colours
) -> tuple[Chart | None, list[str]]:
    """Return the diagram of a column, None if it has too few labels or datasets, and notes."""
    means = {table.name: _means(table, column) for table in blocks if column in table.columns}
    labels = sorted(set.intersection(*(set(each) for each in means.values())))
    title = ", ".join(part for part in (heading(column), split) if part)
    if len(means) < 2 or len(labels) < LEAST_LABELS:
        return None, [f"{title}: fewer than {LEAST_LABELS} models were evaluated on all of several datasets."]
    values = np.array([[column.sign * each[label] for label in labels] for each in means.values()])
    ranking = rank_over_datasets(values, alpha)
    places = ranking.mean_ranks
    series = tuple(
        Series(label, label, colours[label], (Point(rank, 0, text=f"mean rank {rank:.2f}"),))
        for rank, label in sorted(zip(places, labels, strict=True))
    )
    left_out = sorted({label for each in means.values() for label in each} - set(labels))
    notes = [
        f"{title}: {', '.join(means)}; Friedman test p = {probability(ranking.p_value)}"
        + ("; not significant, so all models are joined" if ranking.p_value >= alpha else "")
        + (f"; left out because not on all datasets: {', '.join(left_out)}" if left_out else "")
        + "."
    ]
    chart = Chart(
        title=title,
        kind="ranks",
        x_label="mean rank",
        y_label="",
        series=series,
        cliques=tuple((places[clique[0]], places[clique[-1]]) for clique in ranking.cliques),
        critical=ranking.critical_difference,
    )
    return chart, notes


def _means(table: Table, column: Column) -> dict[str, float]:
    place = table.columns.index(column)
    return {row.label: cell.mean for row in table.rows if (cell := row.cells[place]) is not None}
