"""Prepare interactions: filter rows, assign dense ids, order each user's history by time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from common.errors import UserError
from common.ragged import offsets_of
from datasets.blocks import blocks, counts, empty, in_scratch, progress
from datasets.encode import Codes, densify, encode
from datasets.funnel import Funnel, Step, as_text
from datasets.order import TieOrder, time_order
from datasets.repeats import drop_exact_copies, exact_copies, repeat_rate
from datasets.rows import IntArray, Repeats, Rows, filter_rows, keep_popular_items, merge_repeats, sample_users
from datasets.sequence_data import SequenceData, with_hash
from datasets.time_options import to_text

log = logging.getLogger(__name__)

PREPARE_VERSION = 3
SORTED_ROWS = 1 << 24  # about as many are sorted at a time
MAX_PARTS = 32  # in which all rows are sorted


@dataclass(frozen=True)
class Rules:
    """Which interactions to keep and how to order them. `prepare` applies the rules in this order.

    Attributes
    ----------
    min_rating : keep ratings >= this; None = all
    since, until : keep since <= time < until, in seconds UTC; None = unbounded
    drop_copies : drop exact copies, see `drop_exact_copies`
    repeats : how to merge a user's interactions with the same item, see `merge_repeats`
    min_uc, min_sc : minimum number of interactions of a user and of an item
    filter_mode : "core" repeats both filters until nothing changes; "once" drops rare items, then users with too few
        interactions left
    subsample_users, subsample_seed : keep this many of the remaining users, drawn with this seed; None = all
    max_items : keep this many of the remaining items, the most popular ones; None = all. After either of the two
        subsampling steps, min_uc and min_sc are applied again
    tie_order, tie_seed : order of a user's interactions with equal timestamps: as in the file, by item id, or random
    """

    min_rating: float | None = None
    since: int | None = None
    until: int | None = None
    drop_copies: bool = False
    repeats: Repeats = "keep"
    min_uc: int = 0
    min_sc: int = 0
    filter_mode: Literal["core", "once"] = "core"
    subsample_users: int | None = None
    subsample_seed: int = 0
    max_items: int | None = None
    tie_order: TieOrder = "file"
    tie_seed: int = 0

    @property
    def ignores_row_order(self) -> bool:
        """Whether rows that are already in each user's time order, ties in the order of the file, give the same."""
        return not self.drop_copies and self.tie_order != "random"

    def __str__(self) -> str:
        always = ("min_rating", "min_uc", "min_sc", "filter_mode")
        shown = {name: value for name, value in vars(self).items() if name in always or value != getattr(Rules, name)}
        return ", ".join(f"{name} {_plain(value)}" for name, value in shown.items())


def _plain(value: object) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def encode_rows(frame: pd.DataFrame, ticks_per_second: int = 1, scratch: Path | None = None) -> Rows:
    """Encode a table of interactions.

    Parameters
    ----------
    frame : columns user and item (int64 or str), optionally rating (float), timestamp (int64 ticks) and part (0, 1 or
        2: training, validation, test), in file order
    ticks_per_second : unit of timestamp
    scratch : folder for the files of long arrays, see `blocks.empty`; None = they are in memory
    """
    users, user_ids = encode(frame["user"], scratch)
    items, item_ids = encode(frame["item"], scratch)
    return Rows(
        users=users,
        items=items,
        ticks=in_scratch(frame["timestamp"].to_numpy(dtype=np.int64), scratch) if "timestamp" in frame else None,
        ratings=in_scratch(frame["rating"].to_numpy(dtype=np.float32), scratch) if "rating" in frame else None,
        user_ids=user_ids,
        item_ids=item_ids,
        ticks_per_second=ticks_per_second,
        parts=frame["part"].to_numpy(dtype=np.int8) if "part" in frame else None,
        scratch=scratch,
    )


class _Steps:
    """Collects the funnel: the steps of reading, and each later step that changed the number of rows."""

    def __init__(self, rows: Rows, reading: Funnel) -> None:
        self._rows = rows
        self.funnel = reading[:-1]
        self.add(reading[-1].step if reading else "rows of the file")

    def add(self, step: str) -> None:
        """Count what is left after a step."""
        rows = self._rows
        if self.funnel and len(rows) == self.funnel[-1].rows:
            return
        users = int(np.count_nonzero(counts(rows.users, len(rows.user_ids))))
        items = int(np.count_nonzero(counts(rows.items, len(rows.item_ids))))
        self.funnel += (Step(step, len(rows), users, items),)


def prepare(rows: Rows, rules: Rules, *, name: str, funnel: Funnel = ()) -> SequenceData:
    """Apply the rules, assign dense ids and order each user's rows by time. Consumes `rows`, to save memory.

    Parameters
    ----------
    rows : the raw interactions
    rules : which interactions to keep, and in which order
    name : name of the dataset
    funnel : the steps of reading

    Raises
    ------
    UserError
        No interactions are left, or a rule needs ratings or timestamps that the data lacks.
    """
    _check_rules(rows, rules, name)
    before = _part_sizes(rows)
    steps = _Steps(rows, funnel)
    tie_order = _apply(rules, rows, steps)
    if len(rows) == 0:
        raise UserError(
            f"no interactions are left of {name} after filtering with {rules}: relax the filters "
            f"({as_text(steps.funnel)})"
        )
    data = _grouped(rows, name, tie_order, rules.tie_seed, steps.funnel)
    _warn_of_lost_parts(before, _part_sizes(rows), name)
    copies = exact_copies(data)
    _report_copies(copies, data)
    return with_hash(replace(data, copies=copies, repeat_rate=repeat_rate(data, copies)))


def _apply(rules: Rules, rows: Rows, steps: _Steps) -> TieOrder:
    """Keep the rows that the rules keep. Returns the rule for ties that is left to apply."""
    _filter_values(rows, rules, steps)
    if rules.drop_copies:
        drop_exact_copies(rows)
        steps.add("drop exact copies: user, item and second of an earlier row (drop_copies)")
    tie_order = rules.tie_order
    if rules.repeats != "keep":
        rows.keep(time_order(rows.users, rows.items, rows.ticks, tie_order, rules.tie_seed))
        merge_repeats(rows, rules.repeats)
        steps.add(f"merge a user's rows of one item (repeats {rules.repeats})")
        tie_order = "file"  # the rows are in order now
    filter_rows(rows, rules.min_uc, rules.min_sc, rules.filter_mode)
    rare = f"drop users and items with few rows (min_uc {rules.min_uc}, min_sc {rules.min_sc})"
    steps.add(rare)
    if rules.subsample_users is not None or rules.max_items is not None:
        sample_users(rows, rules.subsample_users, rules.subsample_seed)
        steps.add(f"draw {rules.subsample_users} users (subsample_users)")
        keep_popular_items(rows, rules.max_items)
        steps.add(f"keep the {rules.max_items} most popular items (max_items)")
        filter_rows(rows, rules.min_uc, rules.min_sc, rules.filter_mode)
        steps.add(rare)
    return tie_order


def _grouped(rows: Rows, name: str, tie_order: TieOrder, tie_seed: int, funnel: Funnel) -> SequenceData:
    """The rows with dense ids, by user and in order of time. Consumes them."""
    rows.users, user_ids = densify(rows.users, rows.user_ids, rows.scratch)
    rows.items, item_ids = densify(rows.items, rows.item_ids, rows.scratch)
    offsets = offsets_of(counts(rows.users, len(user_ids)))
    _group_by_user(rows, offsets, tie_order, tie_seed)
    rows.items += np.int32(1)  # 0 is PAD
    return SequenceData(
        name=name,
        items=rows.items,
        offsets=offsets,
        timestamps=rows.seconds(),
        ratings=rows.ratings,
        user_ids=user_ids,
        item_ids=item_ids,
        hash="",
        repeat_consumption=False,
        funnel=funnel,
        parts=rows.parts,
    )


def _group_by_user(rows: Rows, offsets: IntArray, tie_order: TieOrder, tie_seed: int) -> None:
    """Group the rows by user, each user's in time order; `offsets` int64 [users + 1] are the groups' bounds.

    The users are taken some at a time, so that the sorting takes little memory; random ties need all at once.
    """
    if tie_order == "random" or len(rows) <= SORTED_ROWS:
        rows.keep(time_order(rows.users, rows.items, rows.ticks, tie_order, tie_seed))
        return
    old, columns = replace(rows), [name for name in rows.COLUMNS if getattr(rows, name) is not None]
    for name in columns:
        setattr(rows, name, empty(len(old), getattr(old, name).dtype, rows.scratch))
    share = max(SORTED_ROWS, len(rows) // MAX_PARTS)
    first, bar = 0, progress(len(old), "sort")
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + share, side="right")) - 1)
        places = np.concatenate(
            [part.start + np.flatnonzero(_between(old.users[part], first, last)) for part in blocks(len(old))]
        )
        ticks = None if old.ticks is None else old.ticks[places]
        places = places[time_order(old.users[places], old.items[places], ticks, tie_order)]
        for name in columns:
            getattr(rows, name)[offsets[first] : offsets[last]] = getattr(old, name)[places]
        bar.update(len(places))
        first = last
    bar.close()


def _between(users: Codes, first: int, last: int) -> npt.NDArray[np.bool_]:
    """bool [rows]: whether first <= user < last."""
    return (users >= first) & (users < last)


def _report_copies(copies: int, data: SequenceData) -> None:
    """Log how many interactions are exact copies, if there are any."""
    if copies:
        log.info(
            "%s: exact copies (user, item and second of an earlier interaction) don't count as repeats: %s of %s "
            "interactions. To drop them: --drop_copies true",
            data.name,
            f"{copies:,}",
            f"{data.num_interactions:,}",
        )


def _part_sizes(rows: Rows) -> list[int]:
    """Number of validation and of test rows."""
    return [] if rows.parts is None else np.bincount(rows.parts, minlength=3)[1:].tolist()


def _warn_of_lost_parts(before: list[int], after: list[int], name: str) -> None:
    """Warn if rows were dropped from a split that comes with the data."""
    if before != after:
        log.warning(
            "%s: %d of %d validation rows and %d of %d test rows were dropped. To keep your own split as it is: "
            "--min_uc 0 --min_sc 0 --min_rating null",
            *(name, before[0] - after[0], before[0], before[1] - after[1], before[1]),
        )


def _check_rules(rows: Rows, rules: Rules, name: str) -> None:
    """Raise UserError if a rule needs ratings or timestamps that the data lacks."""
    if rows.ratings is None and (rules.min_rating or 0) > 0:
        raise UserError(
            f"{name} has no ratings, so min_rating {rules.min_rating:g} can't be applied: set min_rating to null"
        )
    timed = [key for key in ("since", "until") if getattr(rules, key) is not None]
    if rules.tie_order != "file":
        timed.append("tie_order")
    if rules.drop_copies:
        timed.append("drop_copies")
    if rows.ticks is None and timed:
        raise UserError(
            f"{name} has no timestamps (its rows are assumed to be in time order), so {' and '.join(timed)} can't be "
            "used"
        )


def _filter_values(rows: Rows, rules: Rules, steps: _Steps) -> None:
    """Apply min_rating, since and until."""
    if rules.min_rating is not None and rows.ratings is not None:
        rows.keep_where(rows.ratings >= rules.min_rating)
        steps.add(f"drop rows rated below {rules.min_rating:g} (min_rating)")
    if rows.ticks is not None and rules.since is not None:
        rows.keep_where(rows.ticks >= rules.since * rows.ticks_per_second)
        steps.add(f"drop rows before {to_text(rules.since)} (since)")
    if rows.ticks is not None and rules.until is not None:
        rows.keep_where(rows.ticks < rules.until * rows.ticks_per_second)
        steps.add(f"drop rows at or after {to_text(rules.until)} (until)")
