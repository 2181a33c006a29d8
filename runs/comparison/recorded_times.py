"""How long runs of a model took: from the runs recorded with the harness, and from finished runs in the folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

from common.errors import UserError
from options.registries import ROOT
from reports import read_run
from reports.collect import RESULTS, Run

RECORDED = ROOT / "results"


@dataclass(frozen=True)
class RecordedTimes:
    """The times of complete runs below the folders of all runs, and in `results/`. They are read at the first use."""

    roots: tuple[Path, ...]

    @cached_property
    def _runs(self) -> list[Run]:
        files = {file.resolve(): None for root in self.roots for file in sorted(root.glob(f"*/*/{RESULTS}"))}
        return list(_complete([*files, *sorted(RECORDED.glob("*.json"))]))

    def seconds(
        self, model_code: str | None, dataset: str, split: str, label: str, num_epochs: int | None
    ) -> float | None:
        """The mean time of the most similar runs of a model; None if there are none.

        Similar: on the same dataset; of these, under the same split; of these, with the same label. Times on another
        dataset are scaled by its number of interactions, if that of `dataset` is known. No run is counted with more
        than `num_epochs` epochs.
        """
        similar = [run for run in self._runs if run.record.model_code == model_code]
        similar = [run for run in similar if run.record.data.name == dataset] or similar
        similar = [run for run in similar if run.record.split == split] or similar
        similar = [run for run in similar if run.label == label] or similar
        if not similar:
            return None
        sizes = [run.record.data.interactions for run in self._runs if run.record.data.name == dataset]
        return mean(_scaled(run, dataset, sizes, num_epochs) for run in similar)


def _scaled(run: Run, dataset: str, sizes: list[int], num_epochs: int | None) -> float:
    """The seconds of a run, scaled to the dataset and cut after `num_epochs`."""
    record, data = run.record, run.record.data
    scale = sizes[-1] / data.interactions if sizes and data.name != dataset and data.interactions else 1.0
    if num_epochs is not None and record.epochs:
        scale *= min(num_epochs / record.epochs, 1.0)
    return (record.minutes or 0.0) * 60 * scale


def _complete(files: Iterable[Path]) -> Iterable[Run]:
    for file in files:
        with contextlib.suppress(UserError):  # a damaged file tells nothing
            run = read_run(file)
            if run.record.minutes is not None and not run.cut_short:
                yield run
