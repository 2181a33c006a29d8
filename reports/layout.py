"""Tables as text cells with emphasis, independent of the output format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.numbers import DAGGER, DASH, number, percent, probability, with_unit
from reports.options import COSTS, Extra
from reports.published import read_published
from reports.table import Cell, Column, Row, Table

TEST_NAMES = {
    "paired_t": "paired t-test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "bootstrap": "paired bootstrap test",
}
STOP_REASONS = {  # of `stopped_by` in a results file; others are shown as they are
    "saturation": "early stopping",
    "num_epochs": "maximum number of epochs",
    "max_minutes": "time limit",
}

Kind = Literal["name", "value", "cost"]
Hover = tuple[tuple[str, str], ...]  # (name, value) pairs


@dataclass(frozen=True)
class Text:
    """One cell: a value, which may be emphasised, and the text `after` it, which is not.

    `sort` is the sort key of the cell, None to sort by its text; `hover` is shown in the page's tooltip.
    """

    value: str
    after: str = ""
    bold: bool = False
    underlined: bool = False
    sort: float | None = None
    hover: Hover = ()


@dataclass(frozen=True)
class Grid:
    """A table to be rendered: headings, the group above each heading ("" = none), rows, and notes below.

    Attributes
    ----------
    kinds : what each column is; where space is short, costs are left out, names and values never
    verdict : what the table says, in sentences
    short_groups : the groups in short, for forms in which a group can't stand above several columns; () = the same
    """

    title: str
    groups: tuple[str, ...]
    headings: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[Text, ...], ...]
    notes: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    short_groups: tuple[str, ...] = ()


def grid_of(table: Table, notes: Sequence[str], verdict: Sequence[str], columns: Sequence[Extra] | None = None) -> Grid:
    """Lay out a comparison table, with these columns beside the metrics, or with all that say something."""
    parts = [[_label(row)] for row in table.rows]
    groups, short_groups, headings = [""], [""], ["Model"]
    kinds: list[Kind] = ["name"]

    def add(group: str, short: str, heading: str, kind: Kind, cells: Sequence[Text]) -> None:
        groups.append(group)
        short_groups.append(short)
        headings.append(heading)
        kinds.append(kind)
        for part, cell in zip(parts, cells, strict=True):
            part.append(cell)

    for place, column in enumerate(table.columns):
        cells = [_value(row.cells[place], row) for row in table.rows]
        add(column.described_candidates, column.group, column.metric, "value", cells)
    for name in extras(table) if columns is None else columns:
        if name in COSTS:
            add("", "", COSTS[name], "cost", _costs(table.rows, name))
    return Grid(
        title=title_of(table),
        groups=tuple(groups),
        headings=tuple(headings),
        kinds=tuple(kinds),
        rows=tuple(tuple(part) for part in parts),
        notes=tuple(notes),
        verdict=tuple(verdict),
        short_groups=tuple(short_groups),
    )


def extras(table: Table) -> list[Extra]:
    """Return the columns beside the metrics that say something about a table, the most telling first."""
    rows = table.rows
    found: list[Extra] = ["seeds"] if any(len(row.runs) > 1 for row in rows) else []
    found += ["minutes", "parameters", "epochs", "memory"]
    return [*found, "device"] if len({devices(row) for row in rows}) > 1 else found


def title_of(table: Table) -> str:
    """Return the dataset and the protocol of a table."""
    parts = [table.name, table.split, table.phase]
    if any(column.candidates != "ratings" for column in table.columns):  # something is ranked
        parts.append("seen items filtered" if table.filter_seen else "seen items not filtered")
    return ", ".join(parts)


def _label(row: Row) -> Text:
    return Text(row.label, f" {DAGGER}" if row.cut_short else "", hover=_label_hover(row))


def whole(value: float) -> Text:
    """A cell with a whole number."""
    return Text(f"{value:,.0f}", sort=value)


def _value(cell: Cell | None, row: Row) -> Text:
    if cell is None:
        return Text(DASH)
    deviation = f" \N{PLUS-MINUS SIGN} {number(cell.deviation)}" if cell.deviation is not None else ""
    interval = "" if cell.interval is None else f" [{number(cell.interval[0])}, {number(cell.interval[1])}]"
    mark = "*" if cell.comparison is not None and cell.comparison.significant else ""
    gain = f" ({percent(cell.gain)})" if cell.gain is not None else ""
    return Text(
        number(cell.mean),
        deviation + mark + interval + gain,
        cell.place == 1,
        cell.place == 2,
        cell.mean,
        _cell_hover(cell, row),
    )


def _costs(rows: Sequence[Row], name: Extra) -> list[Text]:
    if name == "device":
        return [Text(devices(row)) for row in rows]
    if name == "seeds":
        return [Text("any") if row.deterministic else whole(len(row.runs)) for row in rows]
    values = {
        "parameters": [row.parameters for row in rows],
        "epochs": [row.epochs for row in rows],
        "minutes": [row.minutes for row in rows],
        "memory": [row.peak_memory_mib for row in rows],
    }[name]
    form = ",.1f" if name == "minutes" else ",.0f"
    return [Text(DASH if value is None else format(value, form), sort=value) for value in values]


def devices(row: Row) -> str:
    """Return the hardware of a row's runs."""
    return ", ".join(sorted({with_unit(run.record.device or "unknown") for run in row.runs}))


def _label_hover(row: Row) -> Hover:
    """Return details of a label: model, template, and why each of its runs stopped."""
    record = row.runs[0].record
    template = record.template if isinstance(record.template, str) else " ".join(record.template or ())
    facts = [("model", record.model_code), ("template", template), ("device", devices(row))]
    for run in row.runs:
        ended = [
            with_unit(f"{run.record.epochs:,} epochs") if run.record.epochs is not None else "",
            f"best {run.record.best_epoch:,}" if run.record.best_epoch is not None else "",
            STOP_REASONS.get(run.record.stopped_by or "", run.record.stopped_by or ""),
        ]
        facts.append((f"seed {run.record.seed}", ", ".join(part for part in ended if part)))
    return tuple((what, value) for what, value in facts if value)


def _cell_hover(cell: Cell, row: Row) -> Hover:
    """Return details of a value: more digits, standard deviation, gain, significance test, published values."""
    facts = [("mean" if len(row.runs) > 1 else "value", f"{cell.mean:.6f}")]
    if cell.deviation is not None:
        facts.append(("standard deviation", f"{cell.deviation:.6f} over {len(row.runs)} seeds"))
    if cell.gain is not None:
        facts.append(("gain", percent(cell.gain)))
    if cell.comparison is not None:
        tested = cell.comparison
        facts += [
            ("compared with", f"{tested.reference}, {tested.users:,} users"),
            ("difference", number(tested.difference)),
            ("p", probability(tested.p_value)),
            ("p (Holm)", probability(tested.corrected)),
        ]
    for published in cell.published:
        off = cell.off_published(published)
        facts.append(("published", number(published.value) + (f" ({percent(off)})" if off is not None else "")))
    return tuple(facts)


def published_of(table: Table) -> Grid | None:
    """Lay out published values beside ours, one per row; None if there are none."""
    known = read_published()
    rows = []
    unclear = False
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            for published in cell.published if cell is not None else ():
                off = None if cell is None else cell.off_published(published)
                unclear = unclear or not published.comparable
                rows.append(
                    (
                        Text(row.label),
                        Text(named(column)),
                        _value(cell, row),
                        Text(number(published.value), sort=published.value),
                        Text("protocol not stated" if off is None else percent(off), sort=off),
                        Text(known.sources[published.source]),
                    )
                )
    if not rows:
        return None
    notes = ["Deviation: of our value from the published one, measured under the same protocol."]
    plain_rows = tuple((label, metric, Text(ours.value, sort=ours.sort), *rest) for label, metric, ours, *rest in rows)
    headings = ("Model", "Metric", "Here", "Published", "Deviation", "Source")
    kinds: tuple[Kind, ...] = ("name", "name", "value", "value", "value", "name")
    return Grid(f"Published figures: {title_of(table)}", ("",) * 6, headings, kinds, plain_rows, tuple(notes))


def named(column: Column) -> str:
    """Return the name of a column in short: "full NDCG@10", "pop-100 NDCG@10"."""
    return f"{column.group} {column.metric}"


def appendix_of(table: Table) -> Grid | None:
    """Lay out the p-values of a table's comparisons; None if nothing was tested."""
    if table.significance is None or not table.comparisons:
        return None
    groups_of = {(column.candidates, column.metric): column for column in table.columns}
    rows = [
        (
            Text(groups_of[c.candidates, c.metric].described_candidates),
            Text(c.metric),
            Text(c.label),
            Text(c.reference),
            whole(c.users),
            Text(number(c.difference), sort=c.difference),
            Text(probability(c.p_value), sort=c.p_value),
            Text(probability(c.corrected), sort=c.corrected),
            Text("*" if c.significant else ""),
        )
        for c in table.comparisons
    ]
    headings = ("Candidates", "Metric", "Model", "Compared with", "Users", "Difference", "p", "p (Holm)", "")
    return Grid(
        title=f"{title_of(table)}: {TEST_NAMES[table.significance]} over users",
        groups=("",) * len(headings),
        headings=headings,
        kinds=(*("name",) * 4, *("value",) * 5),
        rows=tuple(rows),
    )
