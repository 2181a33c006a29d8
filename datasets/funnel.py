"""The funnel: how many rows, users and items are left after each step of reading and preparing a dataset."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Step:
    """A step, and what is left after it.

    Attributes
    ----------
    step : what the step does, e.g. "drop ratings below 3 (min_rating)"
    rows : number of rows left
    users, items : number of distinct users and items left; None before the ids are read
    """

    step: str
    rows: int
    users: int | None = None
    items: int | None = None

    def __str__(self) -> str:
        counts = [f"{self.rows:,} rows"]
        counts += [f"{count:,} {name}" for name, count in (("users", self.users), ("items", self.items)) if count]
        return f"{self.step}: {', '.join(counts)}"


Funnel = tuple[Step, ...]


def joined(funnels: Sequence[Funnel], first: str) -> Funnel:
    """The steps of several files that are read as one, added up; the first step, of all rows, is named `first`.

    A file without a step keeps what it had before.
    """
    left = [funnel[0].rows for funnel in funnels]
    steps = []
    for name in dict.fromkeys(step.step for funnel in funnels for step in funnel):
        for place, funnel in enumerate(funnels):
            left[place] = next((step.rows for step in funnel if step.step == name), left[place])
        steps.append(Step(name, sum(left)))
    return (Step(first, steps[0].rows), *steps[1:])


def as_records(funnel: Funnel) -> list[dict[str, str | int | None]]:
    """The steps as mappings with the keys step, rows, users and items, as they are written to JSON."""
    return [asdict(step) for step in funnel]


def from_records(records: Sequence[dict[str, str | int | None]]) -> Funnel:
    """The steps of `as_records`. Raises TypeError if a record has other keys."""
    return tuple(Step(**record) for record in records)  # type: ignore[arg-type]


def as_text(funnel: Funnel) -> str:
    """The funnel in one line."""
    return " -> ".join(map(str, funnel))
