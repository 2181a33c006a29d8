"""The names beside the points and marks of a picture, and its colours."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from reports.chart import GREY, Chart
from reports.placing import Box, place_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#3BA3D8", "#444444", "#8C564B")
GREY_COLOUR = "#B4B4B4"
FAINT = "#555555"
NAME_SIZE = 8  # points


def colour_of(number: int) -> str:
    """Return the colour of a series by its number."""
    return GREY_COLOUR if number == GREY else COLOURS[number % len(COLOURS)]


def name_stages(axes: Axes, chart: Chart, size: tuple[float, float]) -> None:
    """Write the stages' names above the marks of coloured lines, where they don't overlap."""
    used: list[tuple[float, float]] = []
    rings = [_pixel(axes, size, m.x, m.y) for each in chart.series for m in each.marks if m.kind == "best"]
    for each in chart.series:
        for mark in each.marks if each.colour != GREY else ():
            if mark.kind != "stage":
                continue
            x, y = _pixel(axes, size, mark.x, mark.y)
            at = next(
                (
                    (x, y + up)
                    for up in (9, -15)
                    if all(abs(x - u) > 13 or abs(y + up - v) > 9 for u, v in used + rings)
                ),
                None,
            )
            if at is not None:
                used.append(at)
                axes.annotate(
                    mark.text.split()[-1], (mark.x, mark.y), (0, at[1] - y), textcoords="offset points",
                    fontsize=6.5, color=colour_of(each.colour), ha="center",
                )  # fmt: skip


def name_points(axes: Axes, chart: Chart, size: tuple[float, float], room: float) -> None:
    """Write each point's name beside it, or farther away with a line to it; `room` is free right of the axes."""
    points = [_pixel(axes, size, each.points[0].x, each.points[0].y) for each in chart.series]
    sizes = [(_width(each.name), NAME_SIZE * 1.15) for each in chart.series]
    inside = (2, size[0] * 72 + room, 2, size[1] * 72)
    corners = place_names(points, sizes, inside, _lines(axes, chart, size))
    for each, point, (left, bottom), (_, height) in zip(chart.series, points, corners, sizes, strict=True):
        near = abs(bottom + height / 2 - point[1]) < 1.2 * height
        axes.annotate(
            each.name, (each.points[0].x, each.points[0].y), (left - point[0], bottom - point[1]),
            textcoords="offset points", fontsize=NAME_SIZE, ha="left", va="bottom", annotation_clip=False,
            color="black" if each.colour != GREY else FAINT, zorder=1.8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3},
            arrowprops=None if near else {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6,
                                          "shrinkA": 0, "shrinkB": 3, "relpos": (0 if left > point[0] else 1, 0.5)},
        )  # fmt: skip


def _lines(axes: Axes, chart: Chart, size: tuple[float, float]) -> list[Box]:
    """The boxes around the error bars and the steps of the Pareto front, in points."""
    ends = [
        (_pixel(axes, size, p.x, p.low), _pixel(axes, size, p.x, p.high))
        for each in chart.series
        for p in each.points
        if p.low is not None and p.high is not None
    ]
    points = {each.name: each.points[0] for each in chart.series}
    front = [_pixel(axes, size, points[name].x, points[name].y) for name in chart.front]
    for (x, y), (next_x, next_y) in itertools.pairwise(front):
        ends += [((x, y), (next_x, y)), ((next_x, y), (next_x, next_y))]
    return [(min(a, c) - 0.5, max(a, c) + 0.5, min(b, d) - 0.5, max(b, d) + 0.5) for (a, b), (c, d) in ends]


def _width(name: str) -> float:
    """The width of a name in points."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415
    from matplotlib.textpath import TextToPath  # noqa: PLC0415

    width, _, _ = TextToPath().get_text_width_height_descent(name, FontProperties(size=NAME_SIZE), ismath=False)
    return float(width)


def _pixel(axes: Axes, size: tuple[float, float], x: float, y: float) -> tuple[float, float]:
    """Return where a point lies in the axes, in points (1/72 inch)."""

    def share(value: float, ends: tuple[float, float], scale: str) -> float:
        low, high = ends
        if scale == "log":
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    across = share(x, axes.get_xlim(), axes.get_xscale()) * size[0] * 72
    return across, share(y, axes.get_ylim(), axes.get_yscale()) * size[1] * 72
