"""Renders grids for the terminal and as Markdown, and tables as CSV."""

import csv
import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from reports.layout import Grid, Kind, Text
from reports.table import Cell, Table

PLAIN_WIDTH = 1000  # without a limit: wide enough that no line wraps
GAP = 2  # characters between two columns in the terminal
NAME_PART = 0.34  # of the width, at most, for names, which wrap


def terminal(grids: Sequence[Grid], width: int | None = None, colour: bool = False, costs_first: bool = False) -> str:
    """Render the grids for a terminal of `width` characters (None = no limit); `colour` enables bold and underline.

    Values are never left out: those that don't fit are moved to a second table below, with the names repeated. Costs
    are shown where there is room, or like values with `costs_first`.
    """
    output = io.StringIO()
    console = Console(
        file=output,
        width=width or PLAIN_WIDTH,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    for grid in grids:
        console.print(RichText(grid.title, style="bold"))
        widths = _widths(grid, console.width)
        blocks, left_out = _blocks(grid, widths, console.width, costs_first)
        for places in blocks:
            console.print()
            console.print(_drawn(grid, places, widths))
        console.print()
        for note in (*grid.verdict, *grid.notes):
            console.print(RichText(note))
        if left_out:
            names = ", ".join(grid.headings[place].split()[0].lower() for place in left_out)
            console.print(RichText(f"Not shown at this width: {names} (--columns chooses; files have them all)."))
        console.print()
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _drawn(grid: Grid, places: Sequence[int], widths: Sequence[int]) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    groups = grid.short_groups or grid.groups
    has_groups = any(groups[place] for place in places)
    for place in places:
        group, heading = groups[place], grid.headings[place]
        is_name = grid.kinds[place] == "name"
        title = RichText(f"{group}\n{heading}" if has_groups else heading, justify="left" if is_name else "right")
        drawn.add_column(
            title,
            no_wrap=not is_name,
            overflow="fold",
            width=widths[place],
        )
    after = [max((cell_len(_after(row[place])) for row in grid.rows), default=0) for place in range(len(grid.kinds))]
    for row in grid.rows:
        drawn.add_row(*(_rich(row[place], grid.kinds[place], widths[place], after[place]) for place in places))
    return drawn


def _widths(grid: Grid, width: int) -> list[int]:
    """Return the width of each column; that of names is bounded."""
    groups = grid.short_groups or grid.groups
    texts = [
        [groups[place], grid.headings[place], *(row[place].value + _after(row[place]) for row in grid.rows)]
        for place in range(len(grid.headings))
    ]
    bound = max(12, int(width * NAME_PART))
    widths = [max(map(cell_len, column)) for column in texts]
    for place, kind in enumerate(grid.kinds):
        if kind == "value" and grid.rows:  # the widest number and the widest text after it may be in different rows
            parts = [(cell_len(row[place].value), cell_len(_after(row[place]))) for row in grid.rows]
            widths[place] = max(widths[place], sum(map(max, zip(*parts, strict=True))))
    return [min(each, bound) if kind == "name" else each for each, kind in zip(widths, grid.kinds, strict=True)]


def _blocks(grid: Grid, widths: Sequence[int], width: int, costs_first: bool) -> tuple[list[list[int]], list[int]]:
    """Divide the columns into blocks that fit the width, each with the first column; returns the costs left out."""
    blocks: list[list[int]] = [[0]]
    left_out = []
    for place in range(1, len(widths)):
        if sum(widths[other] + GAP for other in blocks[-1]) + widths[place] <= width:
            blocks[-1].append(place)
        elif grid.kinds[place] == "cost" and not costs_first:
            left_out.append(place)
        elif len(blocks[-1]) > 1:
            blocks.append([0, place])
        else:
            blocks[-1].append(place)
    return blocks, left_out


def _rich(text: Text, kind: Kind, width: int, after: int) -> RichText:
    """Return a cell of a column of `width`, in which the second parts of values have room for `after` characters.

    So the numbers stand below each other, whatever follows them.
    """
    style = " ".join(["bold"] * text.bold + ["underline"] * text.underlined)
    indent = 0 if kind == "name" else width - cell_len(text.value) - (after if kind == "value" else 0)
    return RichText.assemble(" " * indent, (text.value, style), _after(text))


def _after(text: Text) -> str:
    return text.after.replace(" \N{PLUS-MINUS SIGN} ", "\N{PLUS-MINUS SIGN}")


def markdown(grids: Sequence[Grid]) -> str:
    """Render the grids as GitHub Markdown, each under a heading."""
    blocks = []
    for grid in grids:
        headings = [
            _escape_markdown(f"{group} {heading}".strip())
            for group, heading in zip(grid.short_groups or grid.groups, grid.headings, strict=True)
        ]
        lines = [headings, ["---" if kind == "name" else "---:" for kind in grid.kinds]]
        lines += [[_markdown_cell(text) for text in row] for row in grid.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        verdict, notes = ("  \n".join(map(_escape_markdown, lines)) for lines in (grid.verdict, grid.notes))
        parts = (f"### {_escape_markdown(grid.title)}", verdict, table, notes)
        blocks.append("\n\n".join(part for part in parts if part))
    return "\n\n".join(blocks) + "\n"


def _markdown_cell(text: Text) -> str:
    value = _escape_markdown(text.value)
    if text.bold:
        value = f"**{value}**"
    if text.underlined:
        value = f"<ins>{value}</ins>"  # GitHub drops <u>
    return value + _escape_markdown(text.after)


def _escape_markdown(text: str) -> str:
    for special in "\\|*_<[]`":
        text = text.replace(special, "\\" + special)
    return text


def csv_text(tables: Sequence[Table]) -> str:
    """Return all tables as one CSV with full precision: a row per dataset, split and label."""
    rows: list[dict[str, object]] = []
    for table in tables:
        for row in table.rows:
            record = row.runs[0].record
            line: dict[str, object] = {
                "dataset": table.dataset,
                **({"variant": table.variant} if table.variant else {}),
                "split": table.split,
                "phase": table.phase,
                "filter_seen": str(table.filter_seen).lower(),
                "label": row.label,
                "model": record.model_code,
                "seeds": " ".join(str(run.record.seed) for run in row.runs),
                "stopped_by": " ".join(dict.fromkeys(run.record.stopped_by or "unknown" for run in row.runs)),
                "parameters": row.parameters,
                "epochs": row.epochs,
                "minutes": row.minutes,
                "peak_memory_mib": row.peak_memory_mib,
                "data_hash": record.data.hash,
            }
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell is not None:
                    line.update({f"{column.group} {column.metric}{what}": x for what, x in _csv_cell(cell).items()})
            rows.append(line)
    used = dict.fromkeys(name for row in rows for name in row)
    columns = dict.fromkeys(f"{column.group} {column.metric}" for table in tables for column in table.columns)
    measured = [f"{column}{what}" for column in columns for what in CSV_NUMBERS if f"{column}{what}" in used]
    names = [*(name for name in used if name not in measured), *measured]
    output = io.StringIO()
    writer = csv.DictWriter(output, names, restval="", lineterminator="\n")
    writer.writerow({name: _csv_text(name) for name in names})
    writer.writerows(
        {name: _csv_text(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
    )
    return output.getvalue()


def _csv_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before `= + - @`."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


CSV_NUMBERS = ("", " sd", " low", " high", " gain %", " p", " p (Holm)", " published", " deviation %")


def _csv_cell(cell: Cell) -> dict[str, float]:
    """Return the numbers of a cell by the suffix of their column name, without those that are None."""
    tested, published = cell.comparison, cell.published[0] if cell.published else None
    off = cell.off_published(published) if published else None
    numbers = (
        cell.mean,
        cell.deviation,
        *(cell.interval or (None, None)),
        None if cell.gain is None else cell.gain * 100,
        tested.p_value if tested else None,
        tested.corrected if tested else None,
        published.value if published else None,
        None if off is None else off * 100,
    )
    return {what: value for what, value in zip(CSV_NUMBERS, numbers, strict=True) if value is not None}
