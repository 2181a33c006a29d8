"""Published figures, from the data file beside this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

PUBLISHED = Path(__file__).with_name("published.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Published(_Entry):
    """Figures of one model in one source, under one protocol.

    `labels` and `datasets` are names under which a run may be called by; `candidates` null fits any.
    """

    labels: list[str]
    datasets: list[str]
    split: str
    candidates: str | None
    negatives: int | None = None
    source: str
    metrics: dict[str, float]


class PublishedFile(_Entry):
    """The whole data file: what each source is, and the figures."""

    sources: dict[str, str]
    figures: list[Published]


@dataclass(frozen=True)
class Figure:
    """One published number."""

    value: float
    source: str


@cache
def read_published(path: Path = PUBLISHED) -> PublishedFile:
    """The published figures that are known."""
    with open(path, encoding="utf-8") as file:
        return PublishedFile.model_validate(yaml.safe_load(file))


def _plain(label: str) -> str:
    return "".join(letter for letter in label.lower() if letter.isalnum())


def figures_for(
    label: str, dataset: str, split: str, candidates: str, negatives: int | None, metric: str
) -> Sequence[Figure]:
    """Published figures for a run's label under its own protocol; only letters and digits of a label count."""
    return [
        Figure(entry.metrics[metric], entry.source)
        for entry in read_published().figures
        if metric in entry.metrics
        and _plain(label) in map(_plain, entry.labels)
        and dataset in entry.datasets
        and split == entry.split
        and entry.candidates in (None, candidates)
        and entry.negatives in (None, negatives)
    ]
