"""Grids as LaTeX tables for a paper: numbers aligned by siunitx, a label, and a caption that says what was measured."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reports.layout import Grid, Kind, Text
from reports.notes import significance_note
from reports.numbers import DASH, MINUS
from reports.table import Table

HEAD = r"""% Put into the preamble: \usepackage{booktabs} \usepackage{graphicx} \usepackage{siunitx}
% Version 3 of siunitx or later. Refer to a table by \ref{tab:...}. The works cited are in report.bib.
"""
_NUMBER = re.compile(rf"[-{MINUS}]?\d*(\.\d+)?")
# Marks stand right after the number, and bold numbers are as wide as others.
_ALIGNED = "table-align-text-after=false, detect-weight=true, mode=text"


MOST_COLUMNS = 8  # of values in a table of several datasets; the datasets that have more share several tables
MOST_ROWS = 45  # that fit a page
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # wider tables are scaled down
_FILTERS = {
    "min_uc": "users with at least {} interactions",
    "min_sc": "items with at least {}",
    "min_rating": "ratings of at least {:g}",
    "since": "since {}",
    "until": "until {}",
}
_SUBSAMPLES = {"subsample_users": "{:,} users drawn at random", "max_items": "the {:,} most popular items"}


def latex(grids: Sequence[tuple[Grid, str]], cited: Mapping[str, str] | None = None) -> str:
    """Render grids, each with its caption, as LaTeX tables with labels; they need booktabs, graphicx and siunitx.

    Grids that don't fit a page become several tables. `cited` is the BibTeX key by the name of a row,
    for columns of models.
    """
    labels: list[str] = []
    tables = []
    for grid, caption in (part for whole in grids for part in _pages(*whole)):
        stem = "tab:" + re.sub(r"[^a-z0-9]+", "-", grid.title.lower()).strip("-")
        label, number = stem, 1
        while label in labels:
            number += 1
            label = f"{stem}-{number}"
        labels.append(label)
        tables.append(_table(grid, caption, label, cited or {}))
    return HEAD + "\n".join(tables)


def _pages(grid: Grid, caption: str) -> list[tuple[Grid, str]]:
    """Divide a grid into parts that fit a page, each with its caption; the notes are below the last one."""
    starts = range(0, max(len(grid.rows), 1), MOST_ROWS)
    return [
        (
            replace(
                grid,
                rows=grid.rows[start : start + MOST_ROWS],
                notes=grid.notes if start == starts[-1] else (),
            ),
            f"{caption} Continued." if start else caption,
        )
        for start in starts
    ]


def caption_of(table: Table) -> str:
    """Say in short what the values of a table were measured on: the split, the data's size, its filters, a subsample.

    A run that doesn't record its options names no filters.
    """
    protocol, size, filters, drawn = _measured(table)
    return f"{table.name}: {'; '.join(part for part in (protocol, size, filters, drawn) if part)}."


def _measured(table: Table) -> tuple[str, str, str, str]:
    """The protocol, the size of the data, its filters and its subsample, "" for what there is not."""
    record = table.rows[0].runs[0].record
    options, data = record.options, record.data
    ranked = any(column.candidates != "ratings" for column in table.columns)
    seen = "seen items filtered" if table.filter_seen else "seen items not filtered"
    protocol = f"{table.split.replace('_', '-')} split, {table.phase}{f', {seen}' if ranked else ''}"
    size = f"{data.users:,} users, {data.items:,} items, {data.interactions:,} interactions"
    filters, drawn = (
        ", ".join(text.format(options[key]) for key, text in texts.items() if options.get(key))
        for texts in (_FILTERS, _SUBSAMPLES)
    )
    return protocol, size, filters, f"subsampled: {drawn}" if drawn else ""


def models_by_datasets(tables: Sequence[tuple[Table, Grid]]) -> list[tuple[Grid, str]]:
    """Lay out the metrics of several datasets side by side, a row per model.

    The tables are of one split; each comes with its grid. Returns grids with their captions: one, or several where the
    datasets have more than MOST_COLUMNS columns together, or none for one dataset.
    """
    columns = sum(len(table.columns) for table, _ in tables)
    count = max(1, min(math.ceil(columns / MOST_COLUMNS), len(tables) // 2))  # at least two datasets each
    bounds = [round(len(tables) * part / count) for part in range(count + 1)] if tables else []
    parts = [tables[start:end] for start, end in itertools.pairwise(bounds)]
    return [_side_by_side(part) for part in parts if len({table.dataset for table, _ in part}) > 1]


def _side_by_side(tables: Sequence[tuple[Table, Grid]]) -> tuple[Grid, str]:
    names = [table.name for table, _ in tables]
    groups, headings, columns = [""], ["Model"], []
    kinds: list[Kind] = ["name"]
    for name, (table, grid) in zip(names, tables, strict=True):
        sets = {column.candidates for column in table.columns}
        for place, column in enumerate(table.columns, start=1):
            groups.append(name)
            kinds.append("value")
            headings.append(column.metric if sets == {"full"} else f"{column.group} {column.metric}")
            columns.append({row[0].value: row[place] for row in grid.rows})
    models = {row[0].value: row[0] for _, grid in reversed(tables) for row in grid.rows}
    order = dict.fromkeys(row[0].value for _, grid in tables for row in grid.rows)
    rows = tuple((models[name], *(column.get(name, Text(DASH)) for column in columns)) for name in order)
    tests = {significance_note(table) for table, _ in tables}  # they differ by dataset
    notes = [note for note in dict.fromkeys(note for _, grid in tables for note in grid.notes) if note not in tests]
    if any("*" in text.after for row in rows for text in row[1:]):
        notes.append("* significant by the test that the table of the dataset names.")
    grid = Grid(
        f"Models by datasets, {tables[0][0].split}", tuple(groups), tuple(headings), tuple(kinds), rows, tuple(notes)
    )
    return grid, _joint_caption(names, [_measured(table) for table, _ in tables])


def _joint_caption(names: Sequence[str], measured: Sequence[tuple[str, str, str, str]]) -> str:
    """The captions of several tables in one; what is the same in all is said once."""
    shared = [len(set(parts)) == 1 for parts in zip(*measured, strict=True)]
    common = [part for part, same in zip(measured[0], shared, strict=True) if same and part]
    own = [
        (name, [part for part, same in zip(parts, shared, strict=True) if part and not same])
        for name, parts in zip(names, measured, strict=True)
    ]
    first = f"Models by datasets: {'; '.join(common)}." if common else "Models by datasets."
    return " ".join([first, *(f"{name}: {'; '.join(parts)}." for name, parts in own if parts)])


def _table(grid: Grid, caption: str, label: str, cited: Mapping[str, str]) -> str:
    columns = list(zip(*grid.rows, strict=True)) if grid.rows else [()] * len(grid.headings)
    kinds = [_column(texts) if kind != "name" else "l" for texts, kind in zip(columns, grid.kinds, strict=True)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
        _FIT,
        r"\begin{tabular}{",
        *(f"  {kind}" for kind in kinds),
        "}",
        r"\toprule",
    ]
    if any(grid.groups):
        lines += _groups(grid.groups)
    headings = [escape(heading) for heading in grid.headings]
    lines.append(
        " & ".join(f"{{{head}}}" if kind[0] == "S" else head for head, kind in zip(headings, kinds, strict=True))
        + r" \\"
    )
    lines.append(r"\midrule")
    for row in grid.rows:
        cells = [_number(text) if kind[0] == "S" else _words(text) for text, kind in zip(row, kinds, strict=True)]
        for place, heading in enumerate(grid.headings):
            if heading == "Model" and row[place].value in cited:
                cells[place] += rf"~\cite{{{cited[row[place].value]}}}"
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if grid.notes:
        lines += [r"\par\smallskip\footnotesize", " ".join(map(escape, grid.notes))]
    return "\n".join([*lines, r"\end{table}", ""])


def _groups(groups: Sequence[str]) -> list[str]:
    """The line of group headings, each above its columns, and the rules below them."""
    spans, rules, start = [], [], 1
    for group, members in itertools.groupby(groups):
        length = len(list(members))
        spans.append(rf"\multicolumn{{{length}}}{{c}}{{{escape(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{start}-{start + length - 1}}}")
        start += length
    return [" & ".join(spans) + r" \\", " ".join(rules)]


def _column(texts: Sequence[Text]) -> str:
    """The type of a column: S with room for its numbers and what follows them, or r where it has no numbers."""
    numbers = [_plain(text.value) for text in texts if _is_number(text)]
    if not numbers:
        return "r"
    parts = [number.lstrip("-").partition(".") for number in numbers]
    whole, decimals = (max(len(part[place]) for part in parts) for place in (0, 2))
    sign = "-" if any(number.startswith("-") for number in numbers) else ""
    after = max((_after(text) for text in texts), key=len)
    room = f", table-space-text-post={{{after}}}" if after else ""
    return f"S[table-format={sign}{whole}{f'.{decimals}' if decimals else ''}, {_ALIGNED}{room}]"


def _is_number(text: Text) -> bool:
    value = text.value.replace(",", "")
    return value not in ("", ".", MINUS) and _NUMBER.fullmatch(value) is not None


def _plain(value: str) -> str:
    """A number as siunitx reads it: -0.4284, 1234567."""
    return _with_zero(value.replace(",", "").replace(MINUS, "-"))


def _with_zero(text: str) -> str:
    return re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)


def _after(text: Text) -> str:
    return escape(_with_zero(text.after))


def _number(text: Text) -> str:
    """A cell of an S column; the line below the second-best value is drawn back from its end."""
    if not _is_number(text):
        return f"{{{_words(text)}}}"
    value = _plain(text.value)
    line = rf"\llap{{\underline{{\phantom{{{value}}}}}}}" if text.underlined else ""
    after = line + (r"\mdseries" if text.bold and text.after else "") + _after(text)
    return (r"\bfseries " if text.bold else "") + value + (f" {{{after}}}" if after else "")


def _words(text: Text) -> str:
    value = escape(text.value)
    if text.bold:
        value = rf"\textbf{{{value}}}"
    if text.underlined:
        value = rf"\underline{{{value}}}"
    return value + escape(text.after)


_LATEX = {
    **{letter: "\\" + letter for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "[": "{[}",  # after \\ it would start an optional argument
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "*": r"$^{*}$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    MINUS: "$-$",
    DASH: "--",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{DAGGER}": r"$^{\dagger}$",
}


def escape(text: str) -> str:
    """Return a text in which no character is a command of LaTeX."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
