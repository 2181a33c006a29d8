"""The results part of a model card: recorded runs of the model, and published figures under the same protocol."""

import statistics
from collections.abc import Sequence

from docsgen.markdown import number, table
from docsgen.records import Group, Protocol, mean_cost
from reports.notes import CUT_SHORT
from reports.numbers import DAGGER
from reports.published import PublishedResult, read_published

CANDIDATES = {"full": "full", "popular": "pop-{}", "random": "uni-{}", "ratings": ""}


def card_results(code: str, groups: Sequence[Group]) -> str:
    """Make the results part of the card of model `code` as Markdown."""
    own = [group for group in groups if group.model == code]
    if not own:
        return "No run of this model has been recorded yet."
    protocols = list(dict.fromkeys(group.protocol for group in own))
    texts = []
    for protocol in protocols:
        rivals = [group for group in groups if group.protocol == protocol]
        texts.append(_under(protocol, [group for group in own if group.protocol == protocol], rivals))
    return "\n\n".join(texts)


def _under(protocol: Protocol, own: Sequence[Group], rivals: Sequence[Group]) -> str:
    """The table of one protocol, its notes and the published figures."""
    candidates = _candidates(own)
    columns = [(name, metric) for name in candidates for metric in protocol.metrics]
    first = columns[0]
    lower = first[1] in ("RMSE", "MAE")
    ranked = sorted(own, key=lambda group: group.mean(*first) or 0, reverse=not lower)
    data = own[0].runs[0].record.data
    size = f"{data.users:,} users, {data.items:,} items, {data.interactions:,} interactions"
    headings = ["Run", *[f"{candidates[name]} {metric}".strip() for name, metric in columns]]
    headings += ["Parameters", "Epochs", "Minutes", "MiB"]
    rows = [
        [
            group.label + (f" {DAGGER}" if any(run.cut_short for run in group.runs) else ""),
            *[_value(group.values(*column)) for column in columns],
            *[_cost(group, *cost) for cost in _COSTS],
        ]
        for group in ranked
    ]
    parts = [f"### {protocol.described[0].upper()}{protocol.described[1:]}", f"Test; {size}.", table(headings, rows)]
    parts.append(_notes(own, rivals, first, lower, f"{candidates[first[0]]} {first[1]}".strip()))
    published = _published(protocol, own)
    return "\n\n".join([*parts, published] if published else parts)


_COSTS = (("parameters", ",.0f"), ("epochs", ",.0f"), ("minutes", ",.1f"), ("peak_memory_mib", ",.0f"))


def _cost(group: Group, cost: str, form: str) -> str:
    value = mean_cost(group.runs, cost)
    return "" if value is None else format(value, form)


def _candidates(groups: Sequence[Group]) -> dict[str, str]:
    """The candidate sets of the runs with their short names: {"full": "full", "popular": "pop-100"}."""
    found: dict[str, str] = {}
    for group in groups:
        record = group.runs[0].record
        for name in record.test:
            size = record.options.get("test_negative_sample_size")
            found[name] = CANDIDATES.get(name, name).format(size)
    return found


def _value(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean = number(statistics.fmean(values))
    return f"{mean} ± {number(statistics.stdev(values))}" if len(values) > 1 else mean


def _notes(own: Sequence[Group], rivals: Sequence[Group], column: tuple[str, str], lower: bool, heading: str) -> str:
    """What the numbers mean, and the best and the baseline recorded under the same protocol."""
    notes = []
    if any(len(group.runs) > 1 for group in own):
        seeds = max(len(group.runs) for group in own)
        notes.append(f"Mean ± standard deviation over {seeds} seeds; costs are means.")
    if any(run.cut_short for group in own for run in group.runs):
        notes.append(CUT_SHORT)
    having = [group for group in rivals if group.values(*column)]
    best = (min if lower else max)(having, key=lambda group: group.mean(*column) or 0)
    others = [group for group in rivals if group.label in ("Pop", "Bias") and group.values(*column)]
    compared = [f"the {'lowest' if lower else 'highest'} is {best.label} with {number(best.mean(*column) or 0)}"]
    compared += [f"{group.label} has {number(group.mean(*column) or 0)}" for group in others if group is not best]
    notes.append(f"Of the {len(having)} recorded runs, by {heading}: {', '.join(compared)}.")
    return "  \n".join(notes)


def _published(protocol: Protocol, own: Sequence[Group]) -> str:
    """Published figures of these labels on the same data and split; "" if there are none."""
    known = read_published()
    labels = {_plain(group.label) for group in own}
    found = [
        entry
        for entry in known.results
        if labels & set(map(_plain, entry.labels)) and protocol.data in entry.datasets and entry.split == protocol.split
    ]
    shown = [metric for metric in protocol.metrics if any(metric in entry.metrics for entry in found)]
    if not shown:
        return ""
    rows = [
        [
            _label(entry, own),
            _candidate_set(entry),
            *[number(entry.metrics[metric]) if metric in entry.metrics else "" for metric in shown],
            known.sources[entry.source],
        ]
        for entry in found
    ]
    return "Published for this data and split:\n\n" + table(
        ["Model", "Candidates", *shown, "Source"], rows, left=(0, 1, -1)
    )


def _label(entry: PublishedResult, own: Sequence[Group]) -> str:
    plain = set(map(_plain, entry.labels))
    return ", ".join(group.label for group in own if _plain(group.label) in plain)


def _candidate_set(entry: PublishedResult) -> str:
    return CANDIDATES.get(entry.candidates or "ratings", "").format(entry.negatives)


def _plain(label: str) -> str:
    return "".join(letter for letter in label.lower() if letter.isalnum())
