"""The protocol computed from the rows of a file in plain Python, to check the fast code against: no array, no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[str, str, int, str]  # user, item, time, part ("" = none)
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Case:
    """One user's evaluation: the input, oldest first, and the targets."""

    input: list[str]
    targets: list[str]


@dataclass(frozen=True)
class Plain:
    """What is trained on (item -> count), the catalogue, the test cases by user, and whether people repeat."""

    trained: Counter[str]
    items: set[str]
    cases: dict[str, Case]
    repeats: bool


def prepared(rows: Sequence[Row], options: Mapping[str, Any]) -> list[Row]:
    """The rows that are left, each user's in time order, users one after another."""
    if options["drop_copies"]:
        rows = list(dict.fromkeys(rows))
    rows = sorted(rows, key=lambda row: (row[0], row[2]))
    if options["repeats"] in ("first", "last"):
        ordered = rows if options["repeats"] == "first" else rows[::-1]
        kept: dict[tuple[str, str, str], Row] = {}
        for row in ordered:
            kept.setdefault((row[0], row[1], row[3]), row)
        chosen = Counter(kept.values())
        rows = [row for row in ordered if chosen[row] and not chosen.subtract([row])]
        rows = sorted(rows if options["repeats"] == "first" else rows[::-1], key=lambda row: (row[0], row[2]))
    while True:
        items = Counter(row[1] for row in rows)
        left = [row for row in rows if items[row[1]] >= options["min_sc"]]
        users = Counter(row[0] for row in left)
        left = [row for row in left if users[row[0]] >= options["min_uc"]]
        if len(left) == len(rows):
            return left
        rows = left


def has_repeat_consumption(rows: Sequence[Row]) -> bool:
    """Whether more than 1 % of the interactions repeat one of the user, without exact copies."""
    moments = {(user, item, time) for user, item, time, _ in rows}
    pairs = {(user, item) for user, item, _ in moments}
    return len(moments) - len(pairs) > 0.01 * len(moments)


def split(rows: Sequence[Row], options: Mapping[str, Any]) -> Plain:
    """The test cases and what is trained on."""
    code, repeats = options["split"], options["repeats"] == "keep" and has_repeat_consumption(rows)
    if code == "global_time" and options["cold_items"] == "drop":
        known = {row[1] for row in rows if row[2] < options["validation_time"]}
        rows = [row for row in rows if row[1] in known]
    histories: dict[str, list[Row]] = {}
    for row in rows:
        histories.setdefault(row[0], []).append(row)
    trained: Counter[str] = Counter()
    cases = {}
    for user, history in histories.items():
        first, second = _bounds(history, options)
        ordered = sorted(history, key=lambda row: PARTS.index(row[3])) if code == "files" else history
        trained.update(row[1] for row in ordered[:first])
        if code == "leave_one_out" and first == len(ordered):
            continue
        if code in ("files", "global_time") and first == 0 and options.get("cold_users", "drop") == "drop":
            continue
        case = _case([row[1] for row in ordered], second, options["targets"])
        if case is not None:
            cases[user] = case
    return Plain(trained, {row[1] for row in rows}, cases, repeats)


def _bounds(history: list[Row], options: Mapping[str, Any]) -> tuple[int, int]:
    """Where a user's validation and test parts begin."""
    length, code = len(history), options["split"]
    if code == "leave_one_out":
        return (length - 2, length - 1) if length >= 3 else (length, length)
    if code == "ratio":
        validating, testing = (
            max(1, math.floor(length * options[f"{part}_share"] + 1e-9)) for part in ("validation", "test")
        )
        enough = length - validating - testing >= 1
        return (length - validating - testing, length - testing) if enough else (length, length)
    if code == "global_time":
        first, second = (sum(row[2] < options[f"{part}_time"] for row in history) for part in ("validation", "test"))
        return first, second
    parts = Counter(row[3] for row in history)
    return parts["train"], parts["train"] + parts["valid"]


def _case(items: list[str], begin: int, targets: str) -> Case | None:
    """The case whose test part begins there; None without an input or a target."""
    end = len(items) - 1 if targets == "last" else begin
    if begin >= len(items) or end == 0:
        return None
    if targets == "all":
        return Case(items[:begin], list(dict.fromkeys(items[begin:])))
    return Case(items[:end], [items[end]])


def ranks(case: Case, scores: Mapping[str, float], others: set[str], seen: str, filtered: bool) -> list[float]:
    """The rank of each target among `others` and the targets, infinite if it counts as not found; [] = left out."""
    found: list[float] = []
    is_seen = {item: filtered and seen != "rank" and item in case.input for item in case.targets}
    ranked = {item for item in case.targets if not is_seen[item]}
    for item in case.targets:
        if not is_seen[item]:
            found.append(sum(scores[other] >= scores[item] for other in others | ranked))
        elif seen == "miss":
            found.append(math.inf)
    return found


def metrics(found: Sequence[float], ks: Sequence[int]) -> dict[str, float]:
    """The ranking metrics of one user from the ranks of the targets."""
    values = {"MRR": 1 / min(found)}
    for k in ks:
        hits, reachable = [rank for rank in found if rank <= k], min(k, len(found))
        ideal = sum(1 / math.log2(place + 2) for place in range(reachable))
        precisions = [sum(other <= rank for other in found) / rank for rank in hits]
        values |= {
            f"Recall@{k}": len(hits) / reachable,
            f"HR@{k}": float(bool(hits)),
            f"Precision@{k}": len(hits) / k,
            f"NDCG@{k}": sum(1 / math.log2(rank + 1) for rank in hits) / ideal,
            f"MRR@{k}": 1 / min(hits) if hits else 0.0,
            f"MAP@{k}": sum(precisions) / reachable,
        }
    return values
