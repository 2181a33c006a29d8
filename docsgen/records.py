"""Groups recorded runs for tables: one group per data, split and label, with the runs of all its seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reports import Run, collect

SPLIT_NAMES = {
    "leave_one_out": "leave-one-out",
    "strong_generalization": "strong generalization",
    "random_rating": "random ratings",
    "global_time": "global time split",
    "ratio": "ratio split",
}
METRICS = {"strong_generalization": ("NDCG@100", "Recall@20", "Recall@50"), "random_rating": ("RMSE", "MAE")}
RANKING_METRICS = ("NDCG@10", "Recall@10")


@dataclass(frozen=True)
class Protocol:
    """What runs must share to stand in one table. `hash` identifies the data."""

    data: str
    hash: str
    split: str
    filter_seen: bool

    @property
    def described(self) -> str:
        """The protocol in words: "`ml-1m-order`, leave-one-out, seen items filtered"."""
        words = [f"`{self.data}`", SPLIT_NAMES.get(self.split, self.split)]
        if self.split != "random_rating":
            words.append("seen items filtered" if self.filter_seen else "seen items not filtered")
        return ", ".join(words)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are usually published for this split."""
        return METRICS.get(self.split, RANKING_METRICS)


@dataclass(frozen=True)
class Group:
    """The runs of one label under one protocol, one per seed."""

    protocol: Protocol
    label: str
    runs: tuple[Run, ...]

    @property
    def model(self) -> str:
        """The model's code."""
        return self.runs[0].record.model_code

    def values(self, candidates: str, metric: str) -> list[float]:
        """The test values, one per seed that has the metric."""
        found = [run.record.test.get(candidates, {}).get(metric) for run in self.runs]
        return [value for value in found if value is not None]

    def mean(self, candidates: str, metric: str) -> float | None:
        """The mean over seeds, None without values."""
        values = self.values(candidates, metric)
        return statistics.fmean(values) if values else None


@cache
def recorded_runs(folder: Path) -> tuple[Group, ...]:
    """Read the recorded runs in a folder that were tested and are no pilots, sorted by protocol."""
    grouped: dict[tuple[Protocol, str], list[Run]] = {}
    for run in collect([str(folder)]):
        record = run.record
        if record.options.get("pilot") or not record.test:
            continue
        protocol = Protocol(record.data.name, record.data.hash, record.split, record.filter_seen)
        if record.options.get("split_seed", 0) is None:  # each seed draws its own split, so the hashes differ
            protocol = Protocol(record.data.name, "", record.split, record.filter_seen)
        grouped.setdefault((protocol, record.label), []).append(run)
    groups = [Group(protocol, label, tuple(runs)) for (protocol, label), runs in grouped.items()]
    return tuple(sorted(groups, key=lambda group: (group.protocol.data, group.protocol.split, group.label)))


def mean_cost(runs: Sequence[Run], cost: str) -> float | None:
    """The mean over runs of "epochs", "minutes", "parameters" or "peak_memory_mib"; None if none has it."""
    known = [value for run in runs for value in [getattr(run.record, cost)] if value is not None]
    return statistics.fmean(known) if known else None
