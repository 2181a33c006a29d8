"""Draws figures as PNG, SVG and PDF with matplotlib.

The layout is computed here, not by matplotlib's layout engines, which draw everything twice.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.files import atomic_path
from reports.chart import GREY, Chart, Figure, Series
from reports.picture_names import FAINT, NAME_SIZE, colour_of, name_points, name_stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DPI = 150
FEW_POINTS = 20  # a line with fewer points has markers
ACROSS = 2  # panels per row
# Inches.
PANEL = (5.4, 3.5)
LEFT, RIGHT, ABOVE, BELOW = 0.75, 0.25, 0.4, 0.55  # around the axes of a panel
TITLE_HEIGHT, LEGEND_LINE, NOTE_LINE = 0.4, 0.22, 0.17
RANK_LINE = 0.3  # height per label of a critical-difference diagram
NOTE_WIDTH = 88  # characters per panel
TICK_SIZES = (6.0, 8.5)  # points; smaller where ticks are close
LETTER = 0.61  # width of a letter, as a part of its size


def draw(figure: Figure, title: str, paths: Sequence[Path]) -> None:
    """Draw all charts of a figure with a title into each of the files, by their suffixes.

    Raises UserError if matplotlib is missing or a file can't be written.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415  (slow to import)
    except ImportError as error:
        raise UserError(
            "pictures need matplotlib: pip install matplotlib, or remove png, svg and pdf from formats"
        ) from error
    # labels may have dollar signs; text stays text
    with rc_context({"text.parse_math": False, "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 9}):
        canvas = _canvas(figure, title)
        for path in paths:
            try:
                with atomic_path(path) as temporary:
                    form = path.suffix.removeprefix(".")
                    metadata = {"Date": None} if form == "svg" else {"CreationDate": None} if form == "pdf" else None
                    canvas.savefig(temporary, dpi=DPI, format=form, metadata=metadata)
            except OSError as error:
                raise UserError(f"can't write the picture {path}: {error.strerror or error}") from error


def _canvas(figure: Figure, title: str) -> Canvas:
    """Lay out title, panels, legend and notes from top to bottom, and draw them."""
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    across = min(ACROSS, len(figure.charts))
    down = math.ceil(len(figure.charts) / across)
    panel_height = max(map(_height, figure.charts))
    width = PANEL[0] * across
    legend = _legend_entries(figure.charts)
    columns = max(1, min(len(legend), int(width / 1.6)))
    legend_height = LEGEND_LINE * math.ceil(len(legend) / columns) + (0.1 if legend else 0)
    notes = [line for note in figure.notes for line in textwrap.wrap(note, NOTE_WIDTH * across)]
    foot = NOTE_LINE * len(notes) + 0.12
    height = TITLE_HEIGHT + panel_height * down + legend_height + foot
    canvas = Canvas(figsize=(width, height))
    heading = ": ".join(part for part in (figure.title, title) if part)
    canvas.text(0.12 / width, 1 - 0.12 / height, heading, fontsize=11.5, fontweight="bold", va="top")
    for place, chart in enumerate(figure.charts):
        row, column = divmod(place, across)
        bottom = height - TITLE_HEIGHT - panel_height * (row + 1) + BELOW
        size = (PANEL[0] - LEFT - RIGHT, panel_height - ABOVE - BELOW)
        corner = (PANEL[0] * column + LEFT, bottom)
        axes = canvas.add_axes((corner[0] / width, corner[1] / height, size[0] / width, size[1] / height))
        _panel(axes, chart, size)
    _legend(canvas, legend, columns, (foot + legend_height) / height)
    canvas.text(0.12 / width, foot / height, "\n".join(notes), fontsize=8, color=FAINT, va="top", linespacing=1.4)
    return canvas


def _height(chart: Chart) -> float:
    if chart.kind == "ranks":
        return ABOVE + BELOW + 1.0 + RANK_LINE * (len(chart.series) / 2 + len(chart.cliques))
    return PANEL[1]


def _legend_entries(charts: Sequence[Chart]) -> list[tuple[str, int]]:
    """Return the labels of line charts with their colours; other charts have names beside their points."""
    found = {
        each.label: (each.name.split(", seed")[0], each.colour)
        for chart in charts
        for each in chart.series
        if chart.kind == "lines"
    }
    coloured = [entry for entry in found.values() if entry[1] != GREY]
    rest = [name for name, colour in found.values() if colour == GREY]
    return [*coloured, *([(_shortened(", ".join(rest)), GREY)] if rest else [])]


def _shortened(names: str) -> str:
    return names if len(names) <= 60 else f"{names[:59]}\N{HORIZONTAL ELLIPSIS}"


def _legend(canvas: Canvas, entries: Sequence[tuple[str, int]], columns: int, top: float) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    if entries:
        handles = [Line2D([], [], color=colour_of(colour), linewidth=1.8) for _, colour in entries]
        names = [name for name, _ in entries]
        canvas.legend(
            handles, names, loc="upper center", bbox_to_anchor=(0.5, top), ncols=columns, frameon=False,
            fontsize=8.5, handlelength=1.4, columnspacing=1.4, borderpad=0,
        )  # fmt: skip


def _panel(axes: Axes, chart: Chart, size: tuple[float, float]) -> None:
    axes.set_title(chart.title, fontsize=9.5, loc="left")
    if chart.kind == "ranks":
        _ranks(axes, chart)
        return
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e2e2e2", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    for each in sorted(chart.series, key=lambda each: each.colour != GREY):  # grey lines lie below
        _line(axes, each)
    axes.set_xscale("log" if chart.x_log else "linear")
    axes.set_yscale("log" if chart.y_log else "linear")
    if chart.kind == "scatter":
        axes.margins(x=0.12, y=0.1)
        _front(axes, chart)
    _ticks(axes, chart, size)
    if chart.kind == "scatter":
        name_points(axes, chart, size, RIGHT * 60)
    else:
        name_stages(axes, chart, size)


def _ticks(axes: Axes, chart: Chart, size: tuple[float, float]) -> None:
    """Set few enough ticks that their labels don't overlap."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter  # noqa: PLC0415

    axes.tick_params(labelsize=TICK_SIZES[1])
    if chart.y_percent:
        axes.yaxis.set_major_formatter("{x:.0%}")
    if chart.ticks:
        room = size[0] * 72 / len(chart.ticks) / max(len(text) for _, text in chart.ticks)  # points for a letter
        every = max(1, math.ceil(TICK_SIZES[0] * LETTER / room)) if not chart.x_log else 1
        axes.set_xticks(
            [x for x, _ in chart.ticks], [t if n % every == 0 else "" for n, (_, t) in enumerate(chart.ticks)]
        )
        axes.tick_params(axis="x", labelsize=min(max(room / LETTER, TICK_SIZES[0]), TICK_SIZES[1]))
        axes.minorticks_off()
    elif chart.x_log:
        axes.xaxis.set_major_locator(LogLocator(subs=_log_factors(*axes.get_xlim()), numticks=20))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=chart.x_label == "epoch"))


def _log_factors(low: float, high: float) -> tuple[int, ...]:
    """Return the multiples of powers of ten that get a tick on a logarithmic axis from `low` to `high`."""
    decades = math.log10(high / low)
    return (1,) if decades > 3.2 else (1, 3) if decades > 1.5 else (1, 2, 5)


def _line(axes: Axes, series: Series) -> None:
    x, y = [point.x for point in series.points], [point.y for point in series.points]
    colour = colour_of(series.colour)
    bounds = [(p.y - p.low, p.high - p.y) for p in series.points if p.low is not None and p.high is not None]
    if len(bounds) == len(y):
        axes.errorbar(x, y, yerr=list(zip(*bounds, strict=True)), fmt="none", ecolor=colour, elinewidth=0.9, alpha=0.7)
    dots = "o" if len(x) < FEW_POINTS else ""
    axes.plot(x, y, color=colour, linewidth=1.0 if series.colour == GREY else 1.5, marker=dots, markersize=4)
    for mark in series.marks:
        if mark.kind == "best":
            axes.plot(mark.x, mark.y, "o", markersize=6, markerfacecolor="white", markeredgecolor=colour, zorder=4)
        else:
            axes.plot(mark.x, mark.y, "|", markersize=9, markeredgewidth=1.3, color=colour, zorder=3)


def _front(axes: Axes, chart: Chart) -> None:
    points = {each.name: each.points[0] for each in chart.series}
    front = [points[name] for name in chart.front]
    axes.step(
        [p.x for p in front],
        [p.y for p in front],
        where="post",
        color="#999999",
        linewidth=1,
        linestyle="--",
        zorder=1.5,
    )


def _ranks(axes: Axes, chart: Chart) -> None:
    """Draw a critical-difference diagram: ranks on a line, names on both sides, bars join groups that don't differ."""
    count = len(chart.series)
    axes.set_axis_off()
    start = -1 - 0.3 * len(chart.cliques)
    longest = max(len(each.name) for each in chart.series) + 7
    margin = longest * NAME_SIZE * LETTER / 72 / (PANEL[0] - LEFT - RIGHT)  # of the width, for names
    side = margin * count / max(1 - 2 * margin, 0.3) + 0.3
    axes.set(xlim=(1 - side, count + side), ylim=(start - math.ceil(count / 2), 2.2))
    axes.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, 0.15], color="black", linewidth=1)
        axes.text(rank, 0.3, str(rank), ha="center", fontsize=8)
    for place, each in enumerate(chart.series):
        left = place < math.ceil(count / 2)
        depth = start - (place if left else count - 1 - place)
        end = 0.7 if left else count + 0.3
        x = each.points[0].x
        axes.plot([x, x, end], [0, depth, depth], color=colour_of(each.colour), linewidth=1.2)
        axes.text(
            end + (-0.05 if left else 0.05), depth, f"{each.name} ({x:.2f})",
            ha="right" if left else "left", va="center", fontsize=NAME_SIZE,
        )  # fmt: skip
    for number, (low, high) in enumerate(chart.cliques):
        height = -0.35 - 0.3 * number
        axes.plot([low - 0.04, high + 0.04], [height, height], color="black", linewidth=3, solid_capstyle="round")
    if chart.critical is not None:
        axes.plot([1, min(1 + chart.critical, count)], [1.3, 1.3], color="black", linewidth=1.5, marker="|")
        axes.text(1, 1.5, f"critical difference {chart.critical:.2f}", fontsize=8)
