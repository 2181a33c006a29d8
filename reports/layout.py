"""Tables as text cells with emphasis, independent of the output format."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.published import PublishedValue, read_published
from reports.table import Cell, Row, Table

MINUS, DASH, DAGGER = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{DAGGER}"
CUT_SHORT = f"{DAGGER} Interrupted or diverged before training was complete; the best epoch up to then was tested."

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
    """A table to be rendered: headings, the group above each heading ("" = none), rows, and notes below."""

    title: str
    groups: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    notes: tuple[str, ...]


def number(value: float) -> str:
    """Format with four decimals and no leading zero: .4284, 9.1234."""
    text = f"{abs(value):.4f}".removeprefix("0")
    return MINUS + text if value < 0 and float(text) != 0 else text


def percent(part: float) -> str:
    """Format a fraction as a signed percentage: +12.3 %."""
    text = f"{abs(part) * 100:.1f}"
    sign = "\N{PLUS-MINUS SIGN}" if float(text) == 0 else MINUS if part < 0 else "+"
    return f"{sign}{text} %"


def probability(value: float) -> str:
    """Format a p-value with two significant digits, or as an upper bound if it is tiny."""
    return "<1e-15" if value < 1e-15 else f"{value:.2g}"


def grid_of(table: Table) -> Grid:
    """Lay out a comparison table."""
    sources: dict[str, int] = {}
    groups, headings = ["", *[""] * _has_seeds(table)], ["Model", *["Seeds"] * _has_seeds(table)]
    parts = [[_label(row), *[_whole(len(row.runs))] * _has_seeds(table)] for row in table.rows]
    for place, column in enumerate(table.columns):
        cells = [row.cells[place] for row in table.rows]
        groups.append(column.group)
        headings.append(column.metric)
        for part, cell, row in zip(parts, cells, table.rows, strict=True):
            part.append(_value(cell, row))
        if any(cell is not None and cell.published for cell in cells):
            groups.append(column.group)
            headings.append("published")
            for part, cell in zip(parts, cells, strict=True):
                part.append(_published(cell, sources))
    for heading, costs in _costs(table):
        groups.append("")
        headings.append(heading)
        for part, cost in zip(parts, costs, strict=True):
            part.append(cost)
    return Grid(
        title=_title(table),
        groups=tuple(groups),
        headings=tuple(headings),
        rows=tuple(tuple(part) for part in parts),
        notes=tuple(_notes(table, sources)),
    )


def _has_seeds(table: Table) -> bool:
    return any(len(row.runs) > 1 for row in table.rows)


def _title(table: Table) -> str:
    parts = [table.name, table.split, table.phase]
    if any(column.candidates != "ratings" for column in table.columns):  # something is ranked
        parts.append("seen items filtered" if table.filter_seen else "seen items not filtered")
    return ", ".join(parts)


def _label(row: Row) -> Text:
    return Text(row.label, f" {DAGGER}" if row.cut_short else "", hover=_label_hover(row))


def _whole(value: float) -> Text:
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


def _published(cell: Cell | None, sources: dict[str, int]) -> Text:
    """Return the published values of a cell, each with its source's number and our deviation from it."""
    if cell is None or not cell.published:
        return Text("")

    def with_source(published: PublishedValue) -> str:
        mark = sources.setdefault(published.source, len(sources) + 1)
        off = cell.off_published(published)
        return f"{number(published.value)} [{mark}]" + (f" ({percent(off)})" if off is not None else "")

    known = read_published().sources
    hover = tuple((number(published.value), known[published.source]) for published in cell.published)
    return Text("; ".join(map(with_source, cell.published)), sort=cell.published[0].value, hover=hover)


def _costs(table: Table) -> list[tuple[str, list[Text]]]:
    def shown(values: Sequence[float | None], form: str) -> list[Text]:
        return [Text(DASH if value is None else format(value, form), sort=value) for value in values]

    rows = table.rows
    costs = [
        ("Parameters", shown([row.parameters for row in rows], ",.0f")),
        ("Epochs", shown([row.epochs for row in rows], ",.0f")),
        ("Minutes", shown([row.minutes for row in rows], ",.1f")),
        ("Memory MiB", shown([row.peak_memory_mib for row in rows], ",.0f")),
    ]
    if len({_devices(row) for row in rows}) > 1:
        costs.append(("Device", [Text(_devices(row)) for row in rows]))
    return costs


def _devices(row: Row) -> str:
    return ", ".join(sorted({run.record.device or "unknown" for run in row.runs}))


def _label_hover(row: Row) -> Hover:
    """Return details of a label: model, template, and why each of its runs stopped."""
    record = row.runs[0].record
    template = record.template if isinstance(record.template, str) else " ".join(record.template or ())
    facts = [("model", record.model_code), ("template", template), ("device", _devices(row))]
    for run in row.runs:
        ended = [
            f"{run.record.epochs:,} epochs" if run.record.epochs is not None else "",
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


def _notes(table: Table, sources: dict[str, int]) -> list[str]:
    notes = []
    if len(table.rows) > 1:
        notes.append("Best in bold, second best underlined.")
    notes += [
        f"{column.group}: the target is ranked among {column.described_candidates}."
        for column in {column.candidates: column for column in table.columns if column.negatives is not None}.values()
    ]
    if _has_seeds(table):
        notes.append("Mean \N{PLUS-MINUS SIGN} standard deviation over seeds; costs are means over seeds.")
    if table.intervals is not None:
        notes.append(
            f"In square brackets: {table.intervals * 100:g} % bootstrap confidence intervals of the mean over users."
        )
    if table.baseline is not None:
        notes.append(f"In parentheses: gain over {table.baseline}.")
    if table.significance is not None:
        against = table.baseline or "the best in its column"
        notes.append(
            f"* significantly different from {against}: {TEST_NAMES[table.significance]} over users, Holm-corrected "
            f"over the {len(table.comparisons)} comparisons of this table, p < {table.alpha:g}."
        )
    if any(row.cut_short for row in table.rows):
        notes.append(CUT_SHORT)
    if sources:
        notes.append("Published values, with our deviation from them in parentheses:")
        known = read_published().sources
        notes += [f"[{mark}] {known[source]}" for source, mark in sources.items()]
    return [*notes, *(note[0].upper() + note[1:] + "." for note in table.notes)]


def appendix_of(table: Table) -> Grid | None:
    """Lay out the p-values of a table's comparisons; None if nothing was tested."""
    if table.significance is None or not table.comparisons:
        return None
    groups_of = {(column.candidates, column.metric): column for column in table.columns}

    rows = [
        (
            Text(groups_of[c.candidates, c.metric].group),
            Text(c.metric),
            Text(c.label),
            Text(c.reference),
            _whole(c.users),
            Text(number(c.difference), sort=c.difference),
            Text(probability(c.p_value), sort=c.p_value),
            Text(probability(c.corrected), sort=c.corrected),
            Text("*" if c.significant else ""),
        )
        for c in table.comparisons
    ]
    headings = ("Candidates", "Metric", "Model", "Compared with", "Users", "Difference", "p", "p (Holm)", "")
    return Grid(
        title=f"{_title(table)}: {TEST_NAMES[table.significance]} over users",
        groups=("",) * len(headings),
        headings=headings,
        rows=tuple(rows),
        notes=(),
    )
