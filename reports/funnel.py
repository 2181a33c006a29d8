"""The funnel of a dataset as a table: what was left after each step of reading and preparing."""

from collections.abc import Iterable

from reports.collect import DataRecord
from reports.layout import Grid, Text, whole
from reports.numbers import DASH


def funnel_grid(data: Iterable[DataRecord]) -> Grid | None:
    """The table of the first of `data` that recorded its steps; None if none did, or if no step dropped anything."""
    steps = next((each.funnel for each in data if each.funnel), ())
    if len(steps) < 2:
        return None
    return Grid(
        title="Data: what was left after each step of reading and preparing",
        groups=("", "", "", ""),
        headings=("Step", "Rows", "Users", "Items"),
        kinds=("name", "value", "value", "value"),
        rows=tuple(
            (
                Text(step.step),
                *(Text(DASH) if count is None else whole(count) for count in (step.rows, step.users, step.items)),
            )
            for step in steps
        ),
    )
