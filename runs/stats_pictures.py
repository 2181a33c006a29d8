"""Datasets' curves as PNG: one picture with all of them, and each by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.files import atomic_path
from datasets.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Lines = Mapping[str, Curve | None]  # by dataset

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#8C564B")
STYLES = ("-", "--", ":", "-.")
DURATIONS = {1: "1 s", 60: "1 min", 3600: "1 h", 86_400: "1 day", 7 * 86_400: "1 week", 365 * 86_400: "1 year"}
DPI = 150
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
    for panel, (name, plot) in zip(panels, PANELS.items(), strict=True):
        lines = {label: curves[name] for label, curves in columns.items()}
        _panel(panel, lines, plot)
        single = Figure(figsize=(6.4, 4.4), layout="constrained")
        _panel(single.subplots(), lines, plot)
        _legend(single, columns)
        written.append(_save(single, folder / f"{name}.png"))
    _legend(overview, columns)
    return [_save(overview, folder / "overview.png"), *written]


def _save(figure: Figure, path: Path) -> Path:
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI, format="png")
    except OSError as error:
        raise UserError(f"can't write the picture {path}: {error.strerror or error}") from error
    return path


def _legend(figure: Figure, labels: Mapping[str, object]) -> None:
    """The datasets' names below the panels."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    handles = [Line2D([], [], **_look(number)) for number in range(len(labels))]
    figure.legend(handles, list(labels), loc="outside lower center", ncols=min(len(labels), 4), frameon=False)


def _look(number: int) -> dict[str, str | float]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number // len(COLOURS) % 4], "linewidth": 1.8}


def _panel(axes: Axes, lines: Lines, plot: Callable[[Axes], None]) -> None:
    """One kind of curve of all datasets."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for number, curve in enumerate(lines.values()):
        if curve is not None:
            dots = "o" if len(curve.x) < 20 else ""
            axes.plot(curve.x, curve.y, marker=dots, markersize=4, **_look(number))  # type: ignore[arg-type]
    plot(axes)
    if all(curve is None for curve in lines.values()):
        axes.text(0.5, 0.5, "no timestamps", ha="center", va="center", transform=axes.transAxes, color="#777777")
    elif None in lines.values():
        missing = ", ".join(label for label, curve in lines.items() if curve is None)
        axes.text(
            0.99,
            0.01,
            f"no timestamps: {missing}",
            ha="right",
            va="bottom",
            transform=axes.transAxes,
            color="#777777",
            fontsize=8,
        )


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


def _activity(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415

    axes.set(title="Activity over time", xlabel="UTC", ylabel="interactions a day")
    axes.set_ylim(bottom=0)
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
    axes.set(title="Time between interactions", xlabel="of a user, at most", ylabel="interactions", xscale="log")
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


PANELS: dict[str, Callable[[Axes], None]] = {
    "popularity": _popularity,
    "lengths": _lengths,
    "repeats": _repeats,
    "activity": _activity,
    "gaps": _gaps,
    "future": _future,
}
