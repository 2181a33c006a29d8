"""What a picture shows, before it is a PNG or part of the page."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Point:
    """A point; low and high bound what is known of y; text is what to say about it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Mark:
    """A remarkable point of a line: where a stage begins, or the best epoch."""

    x: float
    y: float
    kind: Literal["stage", "best"]
    text: str


@dataclass(frozen=True)
class Series:
    """One line, or one point, of a label; `colour` is the label's number in the whole report."""

    label: str
    name: str
    colour: int
    points: tuple[Point, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Chart:
    """One pair of axes.

    lines: series against x. scatter: a point a series, `front` are the names on the Pareto front, in order of x. ranks:
    a point a series on the line of ranks, where less is better; `cliques` are stretches [from, to] of it within which
    no two differ, `critical` is the smallest difference that counts. `ticks` replace the x axis's own.
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
    """Charts that belong together, and what a reader should know; without charts the notes say why."""

    name: str
    title: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...] = ()
