"""Names of a table's rows: a label, and where one label has runs with different options, the options that differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from common.errors import UserError
from common.schema import data_options, result_options
from reports.collect import Run
from reports.comparable import plain, shown

SAME_IN_A_TABLE = {"seed", "filter_seen", "seen_targets", "dataset_code"}  # or what a row's seeds differ by
NAMED = 3  # options in a row's name; of more, as many as it takes to tell the rows apart
_MISSING = "missing"


def rows_by_name(runs: Sequence[Run], new_names: Mapping[str, str]) -> tuple[dict[str, list[Run]], list[str]]:
    """Return the runs of each row by its name, in the order of the runs, and notes on runs that were left out.

    The runs of a row differ only in their seeds. Of several runs with the same label, options and seed, the one that
    finished last is kept. `new_names` maps a row's name to another one. Raises UserError if two rows get one name.
    """
    labelled: dict[str, list[Run]] = {}
    for run in runs:
        labelled.setdefault(run.label, []).append(run)
    rows: dict[str, list[Run]] = {}
    left_out: list[Run] = []
    for label, members in labelled.items():
        for suffix, repeats in _variants(members):
            name = f"{label} ({suffix})" if suffix else label
            name = new_names.get(name, name)
            if name in rows:
                raise UserError(f"two rows would have the name {name!r}: give one of them another name by --labels")
            rows[name] = _each_seed_once(repeats)
            left_out += [run for run in repeats if run not in rows[name]]
    if not left_out:
        return rows, []
    names = ", ".join(run.name for run in left_out[:3]) + (", ..." if len(left_out) > 3 else "")
    return rows, [f"left out because a later run has the same label, options and seed: {names}"]


def options_of(run: Run) -> dict[str, Any]:
    """Return the options that decide a run's results, without those that the runs of a table share or repeat."""
    options = {"model_code": run.record.model_code, **result_options(run.record.options)}
    return {key: plain(value) for key, value in options.items() if key not in SAME_IN_A_TABLE | data_options()}


def differing(options: Sequence[dict[str, Any]]) -> list[str]:
    """Return the keys of which several values were recorded, in order; an option that a run lacks is no value."""
    values: dict[str, set[str]] = {}
    for each in options:
        for key, value in each.items():
            values.setdefault(key, set()).add(_text(value))
    return [key for key, found in values.items() if len(found) > 1]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _variants(members: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """Divide the runs of a label by their options; each part has a name: "lr=.01", "" if there is one part."""
    options = [options_of(run) for run in members]
    keys = differing(options)
    parts: dict[tuple[str, ...], tuple[dict[str, Any], list[Run]]] = {}
    for run, own in zip(members, options, strict=True):
        values = tuple(_text(own[key]) if key in own else _MISSING for key in keys)
        parts.setdefault(values, (own, []))[1].append(run)
    named = keys if len(keys) <= NAMED else _telling(keys, list(parts))
    more = ", \N{HORIZONTAL ELLIPSIS}" if len(named) < len(keys) else ""
    return [
        (", ".join(f"{key}={shown(own[key])}" for key in named if key in own) + more if keys else "", runs)
        for own, runs in parts.values()
    ]


def _telling(keys: Sequence[str], parts: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a few of the keys that tell the parts apart: one at a time, the one that separates most of them."""
    chosen: list[int] = []
    while len({tuple(part[place] for place in chosen) for part in parts}) < len(parts):
        rest = [place for place in range(len(keys)) if place not in chosen]
        chosen.append(
            max(rest, key=lambda place: len({tuple(part[each] for each in (*chosen, place)) for part in parts}))
        )
    return [keys[place] for place in sorted(chosen)]


def _each_seed_once(runs: Sequence[Run]) -> list[Run]:
    """Return the run of each seed that finished last."""
    latest: dict[int, Run] = {}
    for run in runs:
        known = latest.setdefault(run.record.seed, run)
        if (run.record.finished or "") > (known.record.finished or ""):
            latest[run.record.seed] = run
    return list(latest.values())
