"""The forest plot of a table: the first metric of each row with its confidence interval over users, as SVG."""

from dataclasses import dataclass
from html import escape

import numpy as np

from reports.differences import mean_over_seeds
from reports.numbers import number
from reports.table import Table

Z95 = 1.96  # standard errors on each side of a 95 % confidence interval
MOST = 20  # rows
# Units of the view box.
ROW, TOP, NAMES, VALUES, WIDTH = 22, 26, 190, 60, 720


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
    """Return the plot as an SVG element that takes the page's colours, "" if it would have fewer than two rows."""
    lines = forest_lines(table)
    if len(lines) < 2:
        return ""
    low, high = min(line.low for line in lines), max(line.high for line in lines)
    room = (high - low or 1.0) * 0.03
    low, high = low - room, high + room

    def x(value: float) -> float:
        return round(NAMES + (value - low) / (high - low) * (WIDTH - NAMES - VALUES), 1)

    title = f"{table.columns[0].metric}, {table.columns[0].described_candidates}"
    bottom = TOP + ROW * len(lines)
    parts = [f'<text x="{NAMES}" y="16" class="head">{escape(title)}, 95 % confidence intervals over users</text>']
    for tick in _ticks(low, high):
        parts.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="faint" x="{x(tick)}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for place, line in enumerate(lines):
        y = TOP + ROW * place + ROW / 2
        name = line.label if len(line.label) <= 27 else f"{line.label[:26]}\N{HORIZONTAL ELLIPSIS}"
        parts += [
            f'<text x="{NAMES - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
            f'<line class="bar" x1="{x(line.low)}" x2="{x(line.high)}" y1="{y}" y2="{y}"/>',
            f'<circle cx="{x(line.mean)}" cy="{y}" r="4"/>',
            f'<text x="{WIDTH}" y="{y + 4}" text-anchor="end">{number(line.mean)}</text>',
        ]
    box = f"0 0 {WIDTH} {bottom + 22}"
    return f'<svg class="forest" viewBox="{box}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(float(n * step), 10) for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
