"""The forest plot of a table: the first metric of each row with its confidence interval over users, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from reports.differences import mean_over_seeds
from reports.figures import heading
from reports.numbers import number
from reports.table import Table

Z95 = 1.96  # standard errors on each side of a 95 % confidence interval
MOST = 20  # rows
ROW, TOP = 22, 26  # units of the view box, as below


@dataclass(frozen=True)
class Form:
    """The form for a kind of screen: its widths of names, of values and in all, and the most letters of a name."""

    name: str
    names: int
    values: int
    width: int
    letters: int


FORMS = (Form("wide", 190, 60, 720, 27), Form("narrow", 112, 42, 376, 16))


@dataclass(frozen=True)
class Line:
    """A row of the plot."""

    label: str
    mean: float
    low: float
    high: float


def forest_lines(table: Table) -> list[Line]:
    """Return the rows with per-user values in the first column; none for other phases than test."""
    if table.phase != "test" or not table.columns or not table.columns[0].has_best:
        return []
    key = table.columns[0].key
    lines = []
    for row in table.rows[:MOST]:
        frame = mean_over_seeds(row.label, row.runs, [key])
        if frame is None or key not in frame or len(frame) < 2 or row.cells[0] is None:
            continue
        values = frame[key].to_numpy()
        reach = Z95 * float(values.std(ddof=1)) / np.sqrt(len(values))
        lines.append(Line(row.label, row.cells[0].mean, row.cells[0].mean - reach, row.cells[0].mean + reach))
    return lines


def forest_svg(table: Table) -> str:
    """Return the plot as SVG that takes the page's colours, for each form; "" if it would have fewer than two rows."""
    lines = forest_lines(table)
    return "\n".join(_drawn(table, lines, form) for form in FORMS) if len(lines) > 1 else ""


def _drawn(table: Table, lines: Sequence[Line], form: Form) -> str:
    low, high = min(line.low for line in lines), max(line.high for line in lines)
    room = (high - low or 1.0) * 0.03
    low, high = low - room, high + room

    def x(value: float) -> float:
        return round(form.names + (value - low) / (high - low) * (form.width - form.names - form.values), 1)

    is_wide = form.name == "wide"
    title = heading(table.columns[0])
    head = f"{title}, 95 % confidence intervals over users" if is_wide else f"{title}, 95 % intervals"
    bottom = TOP + ROW * len(lines)
    parts = [f'<text x="{form.names if is_wide else 0}" y="16" class="head">{escape(head)}</text>']
    for tick in _ticks(low, high, 5 if is_wide else 4):
        parts.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="faint" x="{x(tick)}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for place, line in enumerate(lines):
        y = TOP + ROW * place + ROW / 2
        fits = len(line.label) <= form.letters
        name = line.label if fits else f"{line.label[: form.letters - 1]}\N{HORIZONTAL ELLIPSIS}"
        parts += [
            f'<text x="{form.names - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
            f'<line class="bar" x1="{x(line.low)}" x2="{x(line.high)}" y1="{y}" y2="{y}"/>',
            f'<circle cx="{x(line.mean)}" cy="{y}" r="4"/>',
            f'<text x="{form.width}" y="{y + 4}" text-anchor="end">{number(line.mean)}</text>',
        ]
    box = f"0 0 {form.width} {bottom + 22}"
    attributes = f'class="forest {form.name}" viewBox="{box}" role="img" aria-label="{escape(title)}"'
    return f"<svg {attributes}>{''.join(parts)}</svg>"


def _ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(float(n * step), 10) for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
