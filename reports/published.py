"""Published results, read from `published.yaml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

PUBLISHED = Path(__file__).with_name("published.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PublishedResult(_Entry):
    """Results of one model in one source, under one protocol.

    Attributes
    ----------
    labels, datasets : the labels and dataset names of runs to which the results apply
    candidates : "full", "popular", "random" or "ratings"; None applies to any
    negatives : the number of sampled negatives; None applies to any
    source : a key of `sources`
    """

    labels: list[str]
    datasets: list[str]
    split: str
    candidates: str | None
    negatives: int | None = None
    source: str
    metrics: dict[str, float]


class PublishedFile(_Entry):
    """The whole data file. `sources` are the references by key, `unclear` those whose protocol is not known."""

    sources: dict[str, str]
    unclear: list[str] = []
    results: list[PublishedResult]


@dataclass(frozen=True)
class PublishedValue:
    """One published metric value; `comparable` says whether its protocol is known to be that of the run."""

    value: float
    source: str
    comparable: bool = True


@cache
def read_published(path: Path = PUBLISHED) -> PublishedFile:
    """Read the published results."""
    with open(path, encoding="utf-8") as file:
        return PublishedFile.model_validate(yaml.safe_load(file))


def _plain(label: str) -> str:
    return "".join(letter for letter in label.lower() if letter.isalnum())


def published_values(
    label: str, dataset: str, split: str, candidates: str, negatives: int | None, metric: str
) -> Sequence[PublishedValue]:
    """Return published values for a run under the same protocol. Labels match by their letters and digits alone."""
    known = read_published()
    return [
        PublishedValue(entry.metrics[metric], entry.source, entry.source not in known.unclear)
        for entry in known.results
        if metric in entry.metrics
        and _plain(label) in map(_plain, entry.labels)
        and dataset in entry.datasets
        and split == entry.split
        and entry.candidates in (None, candidates)
        and entry.negatives in (None, negatives)
    ]
