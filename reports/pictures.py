"""Draws figures as PNG with matplotlib."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.files import atomic_path
from reports.chart import Chart, Figure, Point, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#3BA3D8", "#555555", "#8C564B")
STYLES = ("-", "--", ":", "-.")
DPI = 150
FEW_POINTS = 20  # a line with fewer points has markers
PANEL = (6.4, 4.2)  # inches
ACROSS = 2  # panels per row
HEAD = 0.7  # inches of height for the title and the legend
LINE = 0.3  # inches of height per label of a critical-difference diagram
NOTE_LINE, NOTE_WIDTH = 0.17, 95  # inches of height per line of notes, characters per panel


def draw(figure: Figure, title: str, path: Path) -> None:
    """Draw all charts of a figure into one PNG with a title.

    Raises UserError if matplotlib is missing or the file can't be written.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415  (slow to import)
        from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    except ImportError as error:
        raise UserError("pictures need matplotlib: pip install matplotlib, or remove png from formats") from error
    with rc_context({"text.parse_math": False}):  # a label may have dollar signs
        _draw(Canvas, figure, title, path)


def _draw(Canvas: Any, figure: Figure, title: str, path: Path) -> None:
    across = min(ACROSS, len(figure.charts))
    down = math.ceil(len(figure.charts) / across)
    lines = [line for note in figure.notes for line in textwrap.wrap(note, NOTE_WIDTH * across)]
    body, foot = down * max(_height(chart) for chart in figure.charts) + HEAD, 0.15 + NOTE_LINE * len(lines)
    canvas = Canvas(figsize=(PANEL[0] * across, body + foot), layout="constrained")
    parts: Any = canvas.subfigures(2, 1, height_ratios=[body, foot])
    above, below = parts
    panels = above.subplots(down, across, squeeze=False).ravel()
    for axes, chart in zip(panels, figure.charts, strict=False):
        _panel(axes, chart)
    for axes in panels[len(figure.charts) :]:
        axes.set_visible(False)
    above.suptitle(f"{figure.title}: {title}", fontsize=12)
    _legend(above, figure.charts)
    below.text(0.012, 1, "\n".join(lines), fontsize=8, color="#555555", ha="left", va="top", linespacing=1.4)
    try:
        with atomic_path(path) as temporary:
            canvas.savefig(temporary, dpi=DPI, format="png")
    except OSError as error:
        raise UserError(f"can't write the picture {path}: {error.strerror or error}") from error


def _height(chart: Chart) -> float:
    return 1.4 + LINE * (len(chart.series) / 2 + len(chart.cliques)) if chart.kind == "ranks" else PANEL[1]


def _legend(canvas: FigureBase, charts: Sequence[Chart]) -> None:
    """Draw the legend of line charts below the panels; other charts have names beside their points."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    names = {
        each.label: (each.name.split(", seed")[0], each.colour)
        for chart in charts
        for each in chart.series
        if chart.kind == "lines"
    }
    handles = [
        Line2D([], [], color=_colour(colour), linestyle=_style(colour), linewidth=1.8) for _, colour in names.values()
    ]
    if names:
        texts = [name for name, _ in names.values()]
        canvas.legend(handles, texts, loc="outside lower center", ncols=min(len(names), 5), frameon=False)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _style(number: int) -> Any:
    return STYLES[number // len(COLOURS) % len(STYLES)]


def _panel(axes: Axes, chart: Chart) -> None:
    from matplotlib.ticker import LogLocator  # noqa: PLC0415

    axes.set_title(chart.title, fontsize=10)
    if chart.kind == "ranks":
        _ranks(axes, chart)
        return
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    for each in chart.series:
        _line(axes, each, chart)
    axes.set_xscale("log" if chart.x_log else "linear")
    axes.set_yscale("log" if chart.y_log else "linear")
    if chart.y_percent:
        axes.yaxis.set_major_formatter("{x:.0%}")
    if chart.ticks:
        axes.set_xticks([x for x, _ in chart.ticks], [text for _, text in chart.ticks], fontsize=8.5)
        axes.minorticks_off()
    elif chart.x_log:
        axes.xaxis.set_major_locator(LogLocator(subs=_log_factors(*axes.get_xlim())))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    if chart.kind == "scatter":
        _front(axes, chart)


def _log_factors(low: float, high: float) -> tuple[int, ...]:
    """Return the multiples of powers of ten that get a tick on a logarithmic axis from `low` to `high`."""
    decades = math.log10(high / low)
    return (1,) if decades > 3.2 else (1, 3) if decades > 1.5 else (1, 2, 5)


def _line(axes: Axes, series: Series, chart: Chart) -> None:
    x, y = [point.x for point in series.points], [point.y for point in series.points]
    colour = _colour(series.colour)
    bounds = [(p.y - p.low, p.high - p.y) for p in series.points if p.low is not None and p.high is not None]
    if len(bounds) == len(y):
        axes.errorbar(x, y, yerr=list(zip(*bounds, strict=True)), fmt="none", ecolor=colour, elinewidth=0.9, alpha=0.7)
    dots = "o" if len(x) < FEW_POINTS else ""
    axes.plot(x, y, color=colour, linestyle=_style(series.colour), linewidth=1.5, marker=dots, markersize=4.5)
    for mark in series.marks:
        if mark.kind == "best":
            axes.plot(mark.x, mark.y, "o", markersize=7, markerfacecolor="white", markeredgecolor=colour, zorder=4)
        else:
            axes.plot(mark.x, mark.y, "|", markersize=12, markeredgewidth=1.6, color=colour, zorder=3)
            axes.annotate(
                mark.text.split()[-1], (mark.x, mark.y), (0, 8), textcoords="offset points",
                fontsize=6.5, color=colour, ha="center",
            )  # fmt: skip


def _front(axes: Axes, chart: Chart) -> None:
    points = {each.name: each.points[0] for each in chart.series}
    front = [points[name] for name in chart.front]
    axes.step([p.x for p in front], [p.y for p in front], where="post", color="#999999", linewidth=1, linestyle="--")
    axes.margins(x=0.18, y=0.12)
    for name, point in points.items():
        beside = [other for other in points.values() if other is not point and _near(axes, chart, point, other)]
        above = all(other.y <= point.y for other in beside)
        shift = (6, 5) if above else (6, -12)
        axes.annotate(name, (point.x, point.y), shift, textcoords="offset points", fontsize=8)


def _near(axes: Axes, chart: Chart, one: Point, other: Point) -> bool:
    """Return whether the names of two points would overlap."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    width, away = right - left, one.x - other.x
    if chart.x_log:
        width, away = math.log(right / left), math.log(one.x / other.x)
    return abs(away) < 0.25 * width and abs(one.y - other.y) < 0.06 * (top - bottom)


def _ranks(axes: Axes, chart: Chart) -> None:
    """Draw a critical-difference diagram: ranks on a line, names on both sides, bars join groups that don't differ."""
    count = len(chart.series)
    axes.set_axis_off()
    start = -1 - 0.3 * len(chart.cliques)
    axes.set(xlim=(0.2, count + 0.8), ylim=(start - math.ceil(count / 2), 2.2))
    axes.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, 0.15], color="black", linewidth=1)
        axes.text(rank, 0.3, str(rank), ha="center", fontsize=8)
    for place, each in enumerate(chart.series):
        left = place < math.ceil(count / 2)
        depth = start - (place if left else count - 1 - place)
        end = 0.7 if left else count + 0.3
        x = each.points[0].x
        axes.plot([x, x, end], [0, depth, depth], color=_colour(each.colour), linewidth=1.2)
        axes.text(
            end + (-0.05 if left else 0.05), depth, f"{each.name} ({x:.2f})",
            ha="right" if left else "left", va="center", fontsize=8,
        )  # fmt: skip
    for number, (low, high) in enumerate(chart.cliques):
        height = -0.35 - 0.3 * number
        axes.plot([low - 0.04, high + 0.04], [height, height], color="black", linewidth=3, solid_capstyle="round")
    if chart.critical is not None:
        axes.plot([1, min(1 + chart.critical, count)], [1.3, 1.3], color="black", linewidth=1.5, marker="|")
        axes.text(1, 1.5, f"critical difference {chart.critical:.2f}", fontsize=8)
