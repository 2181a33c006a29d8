"""Refuses to compare what can't be compared: numbers share a column only if they were measured in the same way."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from common.errors import UserError, nearest
from common.schema import result_options
from reports.collect import Phase, Run, RunRecord

# Parts of the recorded protocol that don't say how a number was measured; candidate sets are compared one by one.
NO_MEASURE = {"candidates", "selected_by"}
SPLIT_OPTIONS = (
    *("validation_share", "test_share", "validation_time", "test_time", "targets", "cold_users", "cold_items"),
    *("heldout_users", "fold_in", "target_share", "min_heldout_items", "distinct_items", "split_seed", "unseen_rating"),
)  # the options of all splits: what is held out, the split's name alone doesn't say
NEGATIVES = "test_negative_"  # options and protocol keys that concern sampled candidates alone


def measured_candidates(runs: Sequence[Run], phase: Phase, wanted: Sequence[str] | None) -> list[str]:
    """The candidate sets of the runs, `full` first, or those `wanted`; raises UserError if no run has one of these."""
    present = {name for run in runs for name in run.record.metrics(phase)}
    if wanted is None:
        return sorted(present, key=lambda name: (name != "full", name))
    for name in wanted:
        if name not in present:
            raise UserError(
                f"no run has {phase} values for candidates {name!r}; they have {', '.join(sorted(present))}"
            )
    return list(wanted)


def check_metrics(runs: Sequence[Run], phase: Phase, candidates: Sequence[str], metrics: Sequence[str]) -> None:
    """Raise UserError if no run has a metric that is asked for."""
    present = {name for run in runs for each in candidates for name in run.record.metrics(phase).get(each, {})}
    for metric in metrics:
        if metric not in present:
            raise UserError(f"no run has the metric {metric!r} ({phase}){_what_there_is(metric, present)}")


def check_baseline(runs: Sequence[Run], baseline: str | None) -> None:
    """Raise UserError if no run has the baseline's label."""
    labels = {run.record.label for run in runs}
    if baseline is not None and baseline not in labels:
        raise UserError(f"no run is labelled {baseline!r}, the baseline{_what_there_is(baseline, labels)}")


def _what_there_is(name: str, known: Collection[str]) -> str:
    """The end of a message about a name that isn't known."""
    hint = nearest(name, sorted(known))
    return f"{f'; {hint}' if hint else '.'} There are: {', '.join(sorted(known))}"


def check_same_protocol(runs: Sequence[Run], phase: Phase, candidates: str) -> None:
    """Raise UserError naming the difference if the runs' values on these candidates were measured in different ways."""
    having = [run for run in runs if candidates in run.record.metrics(phase)]
    refusal = f"the {phase} values of candidates {candidates!r} can't share a column"
    own = bool(having) and all(run.own_split for run in having)  # then each seed has data in an order of its own
    for seed in sorted({run.record.seed for run in having}) if own else [None]:
        alike = [run for run in having if seed is None or run.record.seed == seed]
        _check_agree(alike, "the data (hash)", lambda record: record.data.hash, refusal)
    facts: list[tuple[str, Callable[[RunRecord], Any]]] = [
        ("the split", lambda record: record.split),
        ("filter_seen", lambda record: record.filter_seen),
        *((f"option {key}", _option(key)) for key in SPLIT_OPTIONS),
    ]
    keys = {key for run in having for key in run.record.protocol if key not in NO_MEASURE}
    keys |= {key for run in having for key in run.record.options if key.startswith(NEGATIVES)}
    ranked, sampled = candidates != "ratings", candidates != "full"  # ratings are measured in one way only
    facts += [(key, _told(key)) for key in sorted(keys) if ranked and (sampled or "negative" not in key)]
    facts.append((f"protocol.candidates.{candidates}", lambda record: _detail(record, candidates)))
    for name, value_of in facts:
        _check_agree(having, name, value_of, refusal)


def _option(key: str) -> Callable[[RunRecord], Any]:
    """What tells an option of a run."""
    return lambda record: record.options.get(key)


def _told(key: str) -> Callable[[RunRecord], Any]:
    """What tells a part of the protocol, or the option that stands for it."""
    return lambda record: record.protocol.get(key, record.options.get(key))


def _detail(record: RunRecord, candidates: str) -> Any:
    """What the protocol tells of one candidate set, if it tells it apart from the others."""
    told = record.protocol.get("candidates")
    return told.get(candidates) if isinstance(told, dict) else None


def _check_agree(runs: Sequence[Run], name: str, value_of: Callable[[RunRecord], Any], refusal: str) -> None:
    values: dict[str, Run] = {}
    for run in runs:
        values.setdefault(json.dumps(value_of(run.record), sort_keys=True, default=str), run)
    if len(values) > 1:
        (first, one), (second, other) = list(values.items())[:2]
        raise UserError(
            f"{refusal}: {name} differs, {first} in {one.path} ({one.record.label}) and {second} in {other.path} "
            f"({other.record.label}); report them apart"
        )


def check_repeats(label: str, runs: Sequence[Run]) -> None:
    """Raise UserError unless the runs of a label (on one dataset and split) differ in their seeds alone."""
    seeds: dict[int, Run] = {}
    for run in runs:
        other = seeds.setdefault(run.record.seed, run)
        if other.record.data.hash != run.record.data.hash:
            raise UserError(
                f"{other.path} and {run.path} are both of {label!r} on data called {run.record.data.name!r}, "
                "but the data differs (its hash); report them apart"
            )
        if other is not run:
            raise UserError(
                f"two runs are labelled {label!r} and have seed {run.record.seed}: {other.path} and {run.path}; "
                "leave one out by --experiments; runs get their labels when they are trained (--label)"
            )
    refusal = f"the runs labelled {label!r} are no repetitions of each other"
    _check_agree(runs, "the model", lambda record: record.model_code, refusal)
    for key in sorted(result_options({key: None for run in runs for key in run.record.options}).keys() - {"seed"}):
        _check_agree(runs, f"option {key}", _option(key), refusal)
