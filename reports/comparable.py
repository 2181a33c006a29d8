"""Checks that runs are comparable: values share a column only if they were evaluated under the same protocol."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from common.errors import UserError, nearest
from common.schema import result_options
from reports.collect import Phase, Run, RunRecord

# Keys of the recorded protocol that don't affect a value; candidate sets are compared separately.
NO_MEASURE = {"candidates", "selected_by", "in_words"}
SPLIT_OPTIONS = (
    *("validation_share", "test_share", "validation_time", "test_time", "targets", "cold_users", "cold_items"),
    *("heldout_users", "fold_in", "target_share", "min_heldout_items", "distinct_items", "split_seed", "unseen_rating"),
)  # the options of all splits: the split's name alone doesn't say what is held out
NEGATIVES = "test_negative_"  # prefix of options and protocol keys that affect sampled candidates only


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
            raise UserError(f"no run has the metric {metric!r} ({phase}){_available(metric, present)}")


def check_baseline(runs: Sequence[Run], baseline: str | None) -> None:
    """Raise UserError if no run has the label of the baseline."""
    labels = {run.record.label for run in runs}
    if baseline is not None and baseline not in labels:
        raise UserError(f"no run has the label {baseline!r} of the baseline{_available(baseline, labels)}")


def _available(name: str, known: Collection[str]) -> str:
    """Return the end of a message about an unknown name."""
    hint = nearest(name, sorted(known))
    return f"{f'; {hint}' if hint else '.'} Available: {', '.join(sorted(known))}"


def check_same_protocol(runs: Sequence[Run], phase: Phase, candidates: str) -> None:
    """Raise UserError, naming the difference, if the runs' values on these candidates have different protocols."""
    having = [run for run in runs if candidates in run.record.metrics(phase)]
    refusal = f"the {phase} values of candidates {candidates!r} can't share a column"
    own = bool(having) and all(run.own_split for run in having)  # then the data's hash differs by seed
    for seed in sorted({run.record.seed for run in having}) if own else [None]:
        alike = [run for run in having if seed is None or run.record.seed == seed]
        _check_agree(alike, "the data (hash)", lambda record: record.data.hash, refusal)
    must_agree: list[tuple[str, Callable[[RunRecord], Any]]] = [
        ("the split", lambda record: record.split),
        ("filter_seen", lambda record: record.filter_seen),
        *((f"option {key}", _option(key)) for key in SPLIT_OPTIONS),
    ]
    keys = {key for run in having for key in run.record.protocol if key not in NO_MEASURE}
    keys |= {key for run in having for key in run.record.options if key.startswith(NEGATIVES)}
    ranked, sampled = candidates != "ratings", candidates != "full"  # rating metrics have no protocol options
    must_agree += [(key, _protocol_value(key)) for key in sorted(keys) if ranked and (sampled or "negative" not in key)]
    must_agree.append((f"protocol.candidates.{candidates}", lambda record: _candidate_protocol(record, candidates)))
    for name, value_of in must_agree:
        _check_agree(having, name, value_of, refusal)


def _option(key: str) -> Callable[[RunRecord], Any]:
    """Return a getter of an option."""
    return lambda record: record.options.get(key)


def _protocol_value(key: str) -> Callable[[RunRecord], Any]:
    """Return a getter of a key of the protocol, or of the option with this name in older files."""
    return lambda record: record.protocol.get(key, record.options.get(key))


def _candidate_protocol(record: RunRecord, candidates: str) -> Any:
    """Return the protocol of one candidate set, None if it was not recorded per candidate set."""
    recorded = record.protocol.get("candidates")
    return recorded.get(candidates) if isinstance(recorded, dict) else None


def _check_agree(runs: Sequence[Run], name: str, value_of: Callable[[RunRecord], Any], refusal: str) -> None:
    values: dict[str, Run] = {}
    for run in runs:
        values.setdefault(json.dumps(value_of(run.record), sort_keys=True, default=str), run)
    if len(values) > 1:
        (first, one), (second, other) = list(values.items())[:2]
        raise UserError(
            f"{refusal}: {name} differs, {first} in {one.path} ({one.record.label}) and {second} in {other.path} "
            f"({other.record.label}); report them separately"
        )


def check_repeats(label: str, runs: Sequence[Run]) -> None:
    """Raise UserError unless the runs of a label (on one dataset and split) differ only in their seeds."""
    seeds: dict[int, Run] = {}
    for run in runs:
        other = seeds.setdefault(run.record.seed, run)
        if other.record.data.hash != run.record.data.hash:
            raise UserError(
                f"{other.path} and {run.path} are both labelled {label!r} on a dataset {run.record.data.name!r}, "
                "but the hashes of the data differ; report them separately"
            )
        if other is not run:
            raise UserError(
                f"two runs have the label {label!r} and seed {run.record.seed}: {other.path} and {run.path}; "
                "leave one out of --experiments, or train with different labels (--label)"
            )
    refusal = f"the runs labelled {label!r} differ in more than their seeds"
    _check_agree(runs, "the model", lambda record: record.model_code, refusal)
    for key in sorted(result_options({key: None for run in runs for key in run.record.options}).keys() - {"seed"}):
        _check_agree(runs, f"option {key}", _option(key), refusal)
