"""Datasets' curves as PNG: one picture with all of them, and each by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError
from common.files import atomic_path
from datasets.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Lines = Mapping[str, Curve | None]  # by dataset
Plot = Callable[["Axes"], None]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#8C564B")
STYLES = ("-", "--", ":", "-.")
DURATIONS = {1: "1 s", 60: "1 min", 3600: "1 h", 86_400: "1 day", 365 * 86_400: "1 year"}
DPI = 150
FEW_POINTS = 20
MANY, MILLION = 1_000, 1_000_000


def draw(columns: Mapping[str, Mapping[str, Curve | None]], folder: Path) -> list[Path]:
    """Draw the curves of datasets (by label, then name) into the folder; returns what was written.

    Raises UserError if matplotlib is not there, or the folder can't be written.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import, and nothing else needs it)
    except ImportError as error:
        raise UserError("pictures need matplotlib: pip install matplotlib") from error
    written = []
    overview = Figure(figsize=(15, 8.4), layout="constrained")
    panels = overview.subplots(2, 3).ravel()
    for panel, (name, usual) in zip(panels, PANELS.items(), strict=True):
        plot = usual
        lines = {label: curves[name] for label, curves in columns.items()}
        if name == "activity":
            lines = {label: _without_pauses(curve) for label, curve in lines.items()}
        if name == "activity" and len(columns) > 1:
            lines, plot = {label: _from_first_day(curve) for label, curve in lines.items()}, _activity_by_day
        _panel(panel, lines, plot)
        single = Figure(figsize=(6.4, 4.4), layout="constrained")
        _panel(single.subplots(), lines, plot)
        _legend(single, columns, 2)
        written.append(_save(single, folder / f"{name}.png"))
    _legend(overview, columns, 5)
    return [_save(overview, folder / "overview.png"), *written]


def _save(figure: Figure, path: Path) -> Path:
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI, format="png")
    except OSError as error:
        raise UserError(f"can't write the picture {path}: {error.strerror or error}") from error
    return path


def _legend(figure: Figure, columns: Mapping[str, Mapping[str, Curve | None]], across: int) -> None:
    """The datasets' names below the panels."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    names = [
        label if curves["activity"] is not None else f"{label}, without timestamps" for label, curves in columns.items()
    ]
    handles = [Line2D([], [], **_look(number)) for number in range(len(names))]
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), across), frameon=False)


def _look(number: int) -> Any:
    """Colour, stroke and width; the first ones are wider, so that equal curves are seen beneath each other."""
    width = max(2.4 - 0.3 * number, 1.2)
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": STYLES[number // len(COLOURS) % 4],
        "linewidth": width,
    }


def _panel(axes: Axes, lines: Lines, plot: Plot) -> None:
    """One kind of curve of all datasets."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    drawn = {number: curve for number, curve in enumerate(lines.values()) if curve is not None}
    for number, curve in drawn.items():
        dots = "o" if len(curve.x) < FEW_POINTS else ""
        axes.plot(curve.x, curve.y, marker=dots, markersize=4, **_look(number))
    plot(axes)
    if not drawn:
        axes.text(0.5, 0.5, "no timestamps", ha="center", va="center", transform=axes.transAxes, color="#777777")


def _popularity(axes: Axes) -> None:
    axes.set(title="Popularity of items", xlabel="item, by rank", ylabel="interactions", xscale="log", yscale="log")
    _plain_numbers(axes, x=True, y=True)


def _lengths(axes: Axes) -> None:
    axes.set(title="Length of histories", xlabel="interactions", ylabel="users with at least so many", xscale="log")
    _plain_numbers(axes, x=True)
    _percent(axes)


def _repeats(axes: Axes) -> None:
    axes.set(
        title="Repeats", xlabel="place in the history", ylabel="interactions with an item had before", xscale="log"
    )
    _plain_numbers(axes, x=True)
    _percent(axes)


def _without_pauses(curve: Curve | None) -> Curve | None:
    """With gaps in the line where nothing happened, as a logarithm can't be drawn of that."""
    return None if curve is None else Curve(curve.x, np.where(curve.y > 0, curve.y, np.nan))


def _from_first_day(curve: Curve | None) -> Curve | None:
    """With days since the first period in place of dates: datasets of different years stand beside each other."""
    return None if curve is None else Curve((curve.x - curve.x[0]) / 86_400, curve.y)


def _activity_by_day(axes: Axes) -> None:
    axes.set(
        title="Activity over time", xlabel="days since the first interaction", ylabel="interactions a day", yscale="log"
    )
    _plain_numbers(axes, x=True, y=True)


def _activity(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415

    axes.set(title="Activity over time", xlabel="UTC", ylabel="interactions a day", yscale="log")
    low, high = axes.get_xlim()
    form = "%Y" if high - low > 6 * 365 * 86_400 else "%Y-%m" if high - low > 120 * 86_400 else "%m-%d"
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _date(seconds, form)))
    _plain_numbers(axes, y=True)


def _date(seconds: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.3g} s"


def _gaps(axes: Axes) -> None:
    axes.set(
        title="Time between interactions",
        xlabel="to the user's next interaction, at most",
        ylabel="interactions",
        xscale="log",
    )
    axes.set_xticks(list(DURATIONS), list(DURATIONS.values()))
    axes.minorticks_off()
    _percent(axes)


def _future(axes: Axes) -> None:
    axes.set(
        title="Future in training, under leave-one-out",
        xlabel="training interactions newer than the target, at most",
        ylabel="test targets",
    )
    _percent(axes)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlim(-0.02, 1.02)


def _percent(axes: Axes) -> None:
    """Shares on the y axis."""
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_ylim(-0.02, 1.02)


def _plain_numbers(axes: Axes, x: bool = False, y: bool = False) -> None:
    """1, 10, 100, 1k, ... in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415

    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
            axis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    if value >= MILLION:
        return f"{value / MILLION:g}M"
    return f"{value / MANY:g}k" if value >= MANY else f"{value:g}"


PANELS: dict[str, Plot] = {
    "popularity": _popularity,
    "lengths": _lengths,
    "repeats": _repeats,
    "activity": _activity,
    "gaps": _gaps,
    "future": _future,
}
