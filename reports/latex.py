"""Grids as LaTeX tables for a paper: numbers aligned by siunitx, a label, and a caption that says what was measured."""

import re
from collections.abc import Sequence
from itertools import groupby

from reports.layout import Grid, Text
from reports.numbers import DASH, MINUS
from reports.table import Table

HEAD = r"""% Put into the preamble: \usepackage{booktabs} \usepackage{siunitx}
% Version 3 of siunitx or later. Refer to a table by \ref{tab:...}.
"""
_NUMBER = re.compile(rf"[-{MINUS}]?\d*(\.\d+)?")
# Marks stand right after the number, and bold numbers are as wide as others.
_ALIGNED = "table-align-text-after=false, detect-weight=true, mode=text"


def latex(grids: Sequence[tuple[Grid, str]]) -> str:
    """Render grids, each with its caption, as LaTeX tables with labels; they need booktabs and siunitx."""
    labels: list[str] = []
    tables = []
    for grid, caption in grids:
        stem = "tab:" + re.sub(r"[^a-z0-9]+", "-", grid.title.lower()).strip("-")
        label, number = stem, 1
        while label in labels:
            number += 1
            label = f"{stem}-{number}"
        labels.append(label)
        tables.append(_table(grid, caption, label))
    return HEAD + "\n".join(tables)


def caption_of(table: Table) -> str:
    """Say in short what the values of a table were measured on: the split, the data's size, its filters, a subsample.

    Of filters, those in all runs are named; a run that doesn't record its options names none.
    """
    record = table.rows[0].runs[0].record
    options, data = record.options, record.data
    ranked = any(column.candidates != "ratings" for column in table.columns)
    seen = "seen items filtered" if table.filter_seen else "seen items not filtered"
    split = f"{table.split.replace('_', '-')} split, {table.phase}{f', {seen}' if ranked else ''}"
    size = f"{data.users:,} users, {data.items:,} items, {data.interactions:,} interactions"
    filters = [
        text.format(options[key])
        for key, text in (
            ("min_uc", "users with at least {} interactions"),
            ("min_sc", "items with at least {}"),
            ("min_rating", "ratings of at least {:g}"),
            ("since", "since {}"),
            ("until", "until {}"),
        )
        if options.get(key)
    ]
    drawn = [
        text.format(options[key])
        for key, text in (
            ("subsample_users", "{:,} users drawn at random"),
            ("max_items", "the {:,} most popular items"),
        )
        if options.get(key)
    ]
    parts = [split, size, ", ".join(filters), f"subsampled: {', '.join(drawn)}" if drawn else ""]
    return f"{table.name}: {'; '.join(part for part in parts if part)}."


def _table(grid: Grid, caption: str, label: str) -> str:
    columns = list(zip(*grid.rows, strict=True)) if grid.rows else [()] * len(grid.headings)
    kinds = [_column(texts) if kind != "name" else "l" for texts, kind in zip(columns, grid.kinds, strict=True)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
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
    lines += [
        " & ".join(_number(text) if kind[0] == "S" else _words(text) for text, kind in zip(row, kinds, strict=True))
        + r" \\"
        for row in grid.rows
    ]
    lines += [r"\bottomrule", r"\end{tabular}"]
    if grid.notes:
        lines += [r"\par\smallskip\footnotesize", " ".join(map(escape, grid.notes))]
    return "\n".join([*lines, r"\end{table}", ""])


def _groups(groups: Sequence[str]) -> list[str]:
    """The line of group headings, each above its columns, and the rules below them."""
    spans, rules, start = [], [], 1
    for group, members in groupby(groups):
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
