"""The critical-difference diagrams of a report: labels ranked over its datasets, one split and column at a time."""

from collections.abc import Sequence

import numpy as np

from reports.chart import Chart, Figure, Point, Series
from reports.critical import LEAST_LABELS, rank_over_datasets
from reports.figures import Colours, heading
from reports.layout import probability
from reports.table import Column, Table

TITLE = "Critical differences over datasets"


def ranks_figure(tables: Sequence[Table], alpha: float, colours: Colours) -> Figure:
    """Labels ranked over the datasets that were split and measured alike; the notes say what is missing, and why."""
    charts, notes = [], []
    splits = sorted({table.split for table in tables})
    for split in splits:
        blocks = [table for table in tables if table.split == split]
        if len(blocks) < 2:
            notes.append(
                f"{split}: these runs are of one dataset, {blocks[0].dataset}. Ranks need several: that a difference "
                "holds for the users of one says nothing about other datasets."
            )
            continue
        for column in dict.fromkeys(column for table in blocks for column in table.columns if column.ranks):
            chart, told = _chart(blocks, column, split if len(splits) > 1 else "", alpha, colours)
            charts += [chart] if chart is not None else []
            notes += told
    if charts:
        notes.insert(0, "Mean rank over datasets, 1 is best; a bar joins models between which Nemenyi's test finds no "
                        f"difference at {alpha:g} (Dem\N{LATIN SMALL LETTER S WITH CARON}ar 2006).")  # fmt: skip
    return Figure("ranks", TITLE, tuple(charts), tuple(notes))


def _chart(
    blocks: Sequence[Table], column: Column, split: str, alpha: float, colours: Colours
) -> tuple[Chart | None, list[str]]:
    """The diagram of a column, and what to say about it."""
    means = {table.dataset: _means(table, column) for table in blocks if column in table.columns}
    labels = sorted(set.intersection(*(set(each) for each in means.values())))
    title = ", ".join(part for part in (heading(column), split) if part)
    if len(means) < 2 or len(labels) < LEAST_LABELS:
        return None, [f"{title}: fewer than {LEAST_LABELS} models were measured on several datasets."]
    values = np.array([[column.sign * each[label] for label in labels] for each in means.values()])
    ranking = rank_over_datasets(values, alpha)
    places = ranking.mean_ranks
    series = tuple(
        Series(label, label, colours[label], (Point(rank, 0, text=f"mean rank {rank:.2f}"),))
        for rank, label in sorted(zip(places, labels, strict=True))
    )
    left_out = sorted({label for each in means.values() for label in each} - set(labels))
    notes = [
        f"{title}: {', '.join(means)}; Friedman's test p = {probability(ranking.p_value)}"
        + ("; no difference at all, so all are joined" if ranking.p_value >= alpha else "")
        + (f"; not on all of them: {', '.join(left_out)}" if left_out else "")
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
