"""Which rows of a table count as interactions: conditions on columns, such as the type of event."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.readers.columns import ColumnError, listed, named_column, plain
from datasets.readers.head import Head, is_number
from datasets.readers.numbers import parse_numbers
from datasets.readers.table import RawTable

log = logging.getLogger(__name__)

# Usual names of columns that tell events apart, and of flags (0 or 1), in lower case, letters and digits only.
EVENT_NAMES = (
    *("eventtype", "event", "events", "eventname", "behaviortype", "behaviourtype", "behavior", "behaviour"),
    *("actiontype", "action", "interactiontype", "interaction", "feedbacktype", "activitytype", "activity"),
)
FLAG_NAMES = (
    *("isclick", "click", "clicked", "islike", "like", "liked", "label", "impression", "impressions", "isimpression"),
    *("exposed", "shown", "isshown", "ishit", "isbuy", "ispurchase", "purchased", "bought", "converted", "conversion"),
    *("isview", "viewed", "played", "isplayed", "islongview", "longview", "interacted", "recommended", "isrecommended"),
)
EVENT_WORDS = frozenset(
    {
        *("view", "views", "click", "clicks", "cart", "carts", "addtocart", "removefromcart", "purchase", "purchases"),
        *("buy", "order", "orders", "transaction", "pv", "fav", "favorite", "favourite", "like", "dislike", "skip"),
        *("play", "impression", "wishlist", "rate", "share", "comment", "follow", "bookmark", "watch", "listen"),
    }
)
MAX_VALUES = 10  # listed in a message


@dataclass(frozen=True)
class Condition:
    """Rows are kept if their value in column `index`, whose name is `name`, is one of `values`."""

    index: int
    name: str
    values: tuple[str, ...]
    option: str

    @property
    def role(self) -> str:
        """The key of the column in a RawTable."""
        return f"condition {self.index}"


def conditions(
    head: Head, event_column: str | None, events: Sequence[str], keep: Sequence[str], path: Path
) -> list[Condition]:
    """The conditions that the options `events` and `keep` stand for.

    Parameters
    ----------
    head : the table's columns
    event_column : name of the column for `events`; None or "" = by its usual name
    events : values of that column to keep
    keep : conditions such as "is_click=1"; those on the same column are alternatives
    path : the file, for messages

    Raises
    ------
    UserError
        There is no such column.
    """
    found: list[Condition] = []
    if events:
        name = event_column or next((name for name in head.names if plain(name) in EVENT_NAMES), None)
        if name is None:
            message = f"{path}: no column is recognised as the type of event; name it with --event_column. "
            raise ColumnError(f"{message}The columns are: {listed(head.names)}", "event")
        index = named_column(head.names, name, "event", "--event_column", path)
        found.append(Condition(index, head.names[index], tuple(events), "events"))
    wanted: dict[int, list[str]] = {}
    for condition in keep:
        name, _, value = condition.partition("=")
        index = named_column(head.names, name.strip(), "event", "--keep", path)
        wanted.setdefault(index, []).append(value.strip())
    return found + [Condition(index, head.names[index], tuple(values), "keep") for index, values in wanted.items()]


def apply(conditions: Sequence[Condition], table: RawTable) -> RawTable:
    """Keep the rows that meet all conditions; their columns are removed.

    Raises
    ------
    UserError
        A value of a condition doesn't occur.
    """
    for condition in conditions:
        column = _as_text(table.columns[condition.role])
        mask = np.zeros(table.num_rows, dtype=bool)
        for value in condition.values:
            equal = _is_value(column, value)
            if not equal.any():
                raise UserError(
                    f"{table.path}: no row has {value!r} in column {condition.name!r} (--{condition.option}); its "
                    f"values are {_counted(column)}"
                )
            mask |= equal
        table = table.keep(mask, f"keep {condition.name} {' or '.join(condition.values)} ({condition.option})")
    for role in {condition.role for condition in conditions}:
        del table.columns[role]
    return table


def warn_of_unread_events(
    head: Head, read: Mapping[str, int], conditions: Sequence[Condition], event_column: str | None, path: Path
) -> None:
    """Warn if a column that isn't read seems to say that rows are different events, or no interactions at all."""
    if event_column == "":
        return
    used = {*read.values(), *(condition.index for condition in conditions)}
    for index, name in enumerate(head.names):
        if index in used or not (values := list(dict.fromkeys(head.values(index)))):
            continue
        words = {plain(value) for value in values}
        is_event = plain(name) in EVENT_NAMES or (len(words) > 1 and words <= EVENT_WORDS)
        is_flag = plain(name) in FLAG_NAMES and words in ({"0", "1"}, {"true", "false"}, {"yes", "no"}, {"00", "10"})
        if (is_event and len(values) <= 20) or is_flag:
            option = f"--keep {name}={values[-1]}" if is_flag else f"--event_column {name} --events {values[0]}"
            log.warning(
                "%s: every row counts as an interaction, although column %r (%s) tells them apart. To keep some, give "
                "e.g. %s; to keep all without this message, --event_column ''",
                path,
                name,
                listed(values),
                option,
            )


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any type as text without nulls, without blanks around it."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.large_string()), ""))


def _is_value(column: pa.ChunkedArray, value: str) -> npt.NDArray[np.bool_]:
    """bool [rows]: where the text is the value, ignoring case, or the same number."""
    equal = np.asarray(pc.equal(pc.utf8_lower(column), value.lower()).to_numpy(), dtype=bool)
    if is_number(value) and not equal.any():
        numbers, ok = parse_numbers(column)
        equal = ok & (numbers.astype(np.float64) == float(value))
    return equal


def _counted(column: pa.ChunkedArray) -> str:
    """The most frequent values with their counts."""
    counts = sorted(((entry["counts"], entry["values"]) for entry in column.value_counts().to_pylist()), reverse=True)
    shown = ", ".join(f"{value[:40]!r} ({count:,})" for count, value in counts[:MAX_VALUES])
    return shown + (f" and {len(counts) - MAX_VALUES:,} more" if len(counts) > MAX_VALUES else "")
