"""Which runs share a table: values are comparable only if they were measured on the same data under one protocol."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from common.errors import UserError, nearest
from common.schema import data_options
from reports.collect import Phase, Run

# Keys of the recorded protocol that don't affect a value; candidate sets are compared separately.
NO_MEASURE = {"candidates", "selected_by", "in_words"}
SPLIT_OPTIONS = (
    *("validation_share", "test_share", "validation_time", "test_time", "targets", "cold_users", "cold_items"),
    *("heldout_users", "fold_in", "target_share", "min_heldout_items", "distinct_items", "split_seed", "unseen_rating"),
)  # the options of all splits: the split's name alone doesn't say what is held out
NEGATIVES = "test_negative_"  # prefix of options that affect sampled candidates only
DATA = "data"


class Fact(NamedTuple):
    """Something that must agree between the runs of a table: an option or a key of the recorded protocol.

    `scope` is the candidate set that it affects, or `seed 3` for runs whose seed also draws the split, or "".
    """

    name: str
    scope: str = ""


Facts = dict[Fact, str]  # the values are JSON


def measured_candidates(runs: Sequence[Run], phase: Phase, wanted: Sequence[str] | None) -> list[str]:
    """Return the candidate sets of the runs, `full` first, or `wanted`. Raises UserError if no run has one of these."""
    present = {name for run in runs for name in run.record.metrics(phase)}
    if wanted is None:
        return sorted(present, key=lambda name: (name != "full", name))
    for name in wanted:
        if name not in present:
            raise UserError(
                f"no run has {phase} values for candidates {name!r}; available: {', '.join(sorted(present))}"
            )
    return list(wanted)


def check_metrics(runs: Sequence[Run], phase: Phase, candidates: Sequence[str], metrics: Sequence[str]) -> None:
    """Raise UserError if no run has one of the requested metrics."""
    present = {name for run in runs for each in candidates for name in run.record.metrics(phase).get(each, {})}
    for metric in metrics:
        if metric not in present:
            raise UserError(
                f"no run has the metric {metric!r} ({phase}){available(metric, present)} (runs lack metrics "
                "that were added later; --overwrite true makes them again)"
            )


def available(name: str, known: Collection[str]) -> str:
    """Return the end of a message about an unknown name."""
    hint = nearest(name, sorted(known))
    return f"{f'; {hint}' if hint else '.'} Available: {', '.join(sorted(known))}"


def protocol_groups(runs: Sequence[Run], wanted: Sequence[str] | None) -> list[tuple[Facts, list[Run]]]:
    """Divide runs into groups that share a table, each with its facts; `wanted` are the candidate sets shown.

    Two runs share a table if they agree in all facts that apply to both: the number of negatives, for example, applies
    only to runs with sampled candidates.
    """
    keys = sorted({key for run in runs for key in run.record.protocol} - NO_MEASURE)
    keys += sorted({key for run in runs for key in run.record.options if key.startswith(NEGATIVES)})
    groups: list[tuple[Facts, list[Run]]] = []
    for run in runs:
        facts = _facts(run, keys, wanted)
        for known, members in groups:
            if all(known.get(fact, value) == value for fact, value in facts.items()):
                known.update(facts)
                members.append(run)
                break
        else:
            groups.append((dict(facts), [run]))
    return groups


def _facts(run: Run, keys: Sequence[str], wanted: Sequence[str] | None) -> Facts:
    record = run.record
    values: dict[Fact, Any] = {Fact("filter_seen"): record.filter_seen}
    values[Fact("seen_targets")] = record.options.get("seen_targets", "rank")
    values |= {Fact(key): record.options.get(key) for key in SPLIT_OPTIONS}
    values[Fact(DATA, f"seed {record.seed}" if run.own_split else "")] = record.data.hash
    if run.own_split:  # then the hashes of two seeds differ, whatever the data
        values |= {Fact(key): record.options.get(key) for key in sorted(data_options()) if key != "dataset_path"}
    measured = {name for name in (*record.test, *record.validation) if wanted is None or name in wanted}
    recorded = record.protocol.get("candidates")
    for candidates in measured:
        values[Fact("protocol", candidates)] = recorded.get(candidates) if isinstance(recorded, dict) else None
        for key in keys:
            recorded_here = key in record.protocol or key in record.options  # a later version may record more
            if recorded_here and candidates != "ratings" and (candidates != "full" or "negative" not in key):
                values[Fact(key, candidates)] = record.protocol.get(key, record.options.get(key))
    return {fact: json.dumps(value, sort_keys=True, default=str) for fact, value in values.items()}


def variants(groups: Sequence[tuple[Facts, Sequence[Run]]]) -> list[str]:
    """Tell groups with one dataset name and split apart by what differs: "min_uc=12", "filter_seen=false"; "" if one.

    Where the data differs but no option of it, the start of its hash is given.
    """
    if len(groups) < 2:
        return [""] * len(groups)
    texts: list[list[str]] = [[] for _ in groups]
    options = {name for _, members in groups for run in members for name in run.record.options}
    names = dict.fromkeys(fact.name for facts, _ in groups for fact in facts)
    for name in names:
        seen = [{value for fact, value in facts.items() if fact.name == name} for facts, _ in groups]
        if name == DATA or len({frozenset(each) for each in seen if each}) < 2:
            continue
        if name not in options and name.startswith("negative") and any(each.startswith(NEGATIVES) for each in options):
            continue  # the option of the same meaning is named
        for text, values in zip(texts, seen, strict=True):
            if values:
                text.append(f"{name}={' or '.join(shown(json.loads(value)) for value in sorted(values))}")
    for text, (_, members) in zip(texts, groups, strict=True):
        text[:0] = _data_texts(members, [run for _, others in groups for run in others])
    return _told_apart([", ".join(text) for text in texts], groups)


def _data_texts(members: Sequence[Run], everything: Sequence[Run]) -> list[str]:
    """Return the options of the data that the members share and other runs have another value of."""
    if len({run.record.data.hash for run in everything}) < 2:
        return []
    found = {}
    for key in sorted(data_options() | {"dataset_code"}):
        own = {json.dumps(plain(run.record.options.get(key)), default=str) for run in members}
        values = {json.dumps(plain(run.record.options.get(key)), default=str) for run in everything}
        if len(own) == 1 < len(values):
            found[key] = json.loads(next(iter(own)))
    path = found.pop("dataset_path", None)
    if isinstance(path, str) and not found:
        found["dataset_path"] = "/".join(PurePath(path).parts[-2:])
    return [f"{key}={shown(value)}" for key, value in found.items()]


def _told_apart(texts: list[str], groups: Sequence[tuple[Facts, Sequence[Run]]]) -> list[str]:
    """Add the start of the data's hash, and then a number, where two texts are the same."""
    hashes = [members[0].record.data.hash[:6] for _, members in groups]
    texts = [
        text if texts.count(text) == 1 else ", ".join([*filter(None, [text]), f"data {hashes[place]}"])
        for place, text in enumerate(texts)
    ]
    return [
        text if texts.count(text) == 1 else f"{text}, protocol {texts[: place + 1].count(text)}"
        for place, text in enumerate(texts)
    ]


def plain(value: Any) -> Any:
    """Return a whole float as an int: 100.0 and 100 are the same value of an option."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(value: Any) -> str:
    """Return an option's value in short: .01, true, [1, 5]."""
    if isinstance(value, float):
        text = f"{plain(value):g}"
        return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    if isinstance(value, str):
        return value if len(value) <= 40 else f"{value[:39]}\N{HORIZONTAL ELLIPSIS}"
    if isinstance(value, Mapping):
        return shown(json.dumps(value, sort_keys=True))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return json.dumps(value)
