"""Charts as data, independent of whether they are drawn as PNG or on the HTML page."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Point:
    """A data point. `low` and `high` are the ends of its error bar; `text` is shown on hover."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Mark:
    """A marked point on a line: the start of a stage or the best epoch."""

    x: float
    y: float
    kind: Literal["stage", "best"]
    text: str


COLOURED = 8  # lines of a chart that have a colour of their own
GREY = -1


@dataclass(frozen=True)
class Series:
    """A line or a single point that belongs to a label. `colour` is its index among COLOURED, or GREY."""

    label: str
    name: str
    colour: int
    points: tuple[Point, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Chart:
    """One pair of axes.

    Attributes
    ----------
    kind : "lines" plots series against x; "scatter" has one point per series; "ranks" is a critical-difference diagram
        with one mean rank per series (1 = best)
    ticks : (x, text) pairs that replace the default ticks of the x axis
    front : scatter only; the names of the series on the Pareto front, by ascending x
    cliques : ranks only; intervals (low, high) of mean ranks that don't differ significantly
    critical : ranks only; the critical difference
    """

    title: str
    kind: Literal["lines", "scatter", "ranks"]
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_log: bool = False
    y_log: bool = False
    y_percent: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    front: tuple[str, ...] = ()
    cliques: tuple[tuple[float, float], ...] = ()
    critical: float | None = None


@dataclass(frozen=True)
class Figure:
    """Related charts with notes. If there are no charts, the notes say why."""

    name: str
    title: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...] = ()
