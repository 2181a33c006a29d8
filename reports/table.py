"""The comparison table of one dataset, split and protocol: its columns, rows and cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.metrics import METRICS
from evaluation.options import SAMPLED
from reports.collect import Run
from reports.differences import Comparison
from reports.published import PublishedValue

LOWER_IS_BETTER = tuple(name for name, metric in METRICS.items() if not metric.higher_is_better)
NEITHER_IS_BETTER = ("Coverage", "Novelty", "PopularityLift")


@dataclass(frozen=True)
class Column:
    """A metric on a candidate set; `negatives` is the number of sampled negatives, None for the full ranking."""

    candidates: str
    negatives: int | None
    metric: str

    @property
    def key(self) -> str:
        """The name of the column in per-user files."""
        return f"{self.candidates}/{self.metric}"

    @property
    def group(self) -> str:
        """The candidate set in short, for narrow column headings: "full", "pop-100", "uni-100"."""
        short = {"popular": "pop", "random": "uni"}.get(self.candidates, self.candidates)
        return self.candidates if self.negatives is None else f"{short}-{self.negatives}"

    @property
    def described_candidates(self) -> str:
        """The candidate set in words, for titles and notes: "100 popularity-sampled negatives"."""
        if self.candidates == "full":
            return "full ranking"
        sampling = SAMPLED.get(self.candidates)
        return self.group if sampling is None else f"{self.negatives or ''} {sampling} negatives".strip()

    @property
    def in_words(self) -> str:
        """The column in a sentence: "NDCG@10 in the full ranking"."""
        if self.candidates == "ratings":
            return self.metric
        return f"{self.metric} {'in the' if self.candidates == 'full' else 'among'} {self.described_candidates}"

    @property
    def sign(self) -> int:
        """1 if higher is better, else -1."""
        return -1 if self.metric.split("@")[0] in LOWER_IS_BETTER else 1

    @property
    def has_best(self) -> bool:
        """Whether the metric has a best value, so that labels can be ranked by it."""
        return self.metric.split("@")[0] not in NEITHER_IS_BETTER


@dataclass(frozen=True)
class Cell:
    """The value of one label in one column.

    Attributes
    ----------
    mean, deviation : mean and sample standard deviation over seeds; `deviation` is None for one seed
    interval : bootstrap confidence interval of the mean over users, None if not requested
    place : 1 for the best and 2 for the second-best label of the column, else None
    gain : relative gain over the baseline (.1 = 10 % higher), None without a baseline
    comparison : the paired test against the reference; None for the reference itself and without per-user values
    published : published values under the same protocol
    """

    mean: float
    deviation: float | None
    interval: tuple[float, float] | None
    place: int | None
    gain: float | None
    comparison: Comparison | None
    published: tuple[PublishedValue, ...]

    def off_published(self, published: PublishedValue) -> float | None:
        """Return the relative deviation of the mean from a published value (.1 = 10 % higher).

        None if that is 0, or of another or an unknown protocol.
        """
        return self.mean / published.value - 1 if published.value and published.comparable else None


def is_deterministic(runs: Sequence[Run]) -> bool:
    """Return whether no seed changes the values: recorded so, or seen in several runs of one split."""
    first = runs[0]
    if not first.depends_on_seed:
        return True
    return len(runs) > 1 and not first.own_split and all(run.record.test == first.record.test for run in runs)


@dataclass(frozen=True)
class Row:
    """A label with its runs (one per seed), a cell per column (None if it has no value) and mean costs over seeds."""

    label: str
    runs: tuple[Run, ...]
    cells: tuple[Cell | None, ...]
    parameters: float | None
    epochs: float | None
    minutes: float | None
    peak_memory_mib: float | None

    @property
    def cut_short(self) -> bool:
        """Whether any of the runs ended before training was complete."""
        return any(run.cut_short for run in self.runs)

    @property
    def deterministic(self) -> bool:
        """Whether no seed changes the values, so that one run says all."""
        return is_deterministic(self.runs)

    @property
    def one_of_many(self) -> bool:
        """Whether the row is a single draw: another seed would give other values."""
        return len(self.runs) == 1 and not self.deterministic


@dataclass(frozen=True)
class Table:
    """All rows on one dataset under one split and protocol.

    `variant` tells tables of one dataset and split apart: "min_uc=12", "filter_seen=false"; "" if there is one.
    """

    dataset: str
    variant: str
    split: str
    filter_seen: bool
    phase: str
    baseline: str | None
    significance: str | None
    alpha: float
    intervals: float | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dataset, with what tells it apart from the others of this name: "ml-1m (min_uc=12)"."""
        return f"{self.dataset} ({self.variant})" if self.variant else self.dataset
