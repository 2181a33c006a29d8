"""Generated histories, on which an exported model must give the same scores as the trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from common.errors import UserError
from dataloaders.base import as_int64
from dataloaders.windows import gather_padded
from datasets import SequenceData
from runs.histories import with_histories
from runs.serving.graph import RATINGS, TIMESTAMPS, Served
from runs.trained import TrainedRun

Inputs = dict[str, Tensor]  # the inputs of a graph, by name
TOLERANCE = 1e-4  # largest difference of a score, in units of the largest score


class Trials:
    """Generated histories, for tracing a graph and for comparing its scores with those of the trained model."""

    LENGTHS = (1, 2, 3, 5, 8, 13, 40, 300)

    def __init__(self, run: TrainedRun, graph: Served) -> None:
        self.run, self.graph = run, graph
        self.data = _random_histories(run.experiment.loader.data, self.LENGTHS)
        self.longest = run.experiment.loader.max_history
        self.loader = with_histories(run, self.data)

    def inputs(self, rows: list[int], fixed: int | None = None) -> Inputs:
        """The graph's inputs for these histories, padded to the longest of them or to `fixed`."""
        start, end = self.data.offsets[rows], self.data.offsets[[row + 1 for row in rows]]
        length = int((end - start).max())
        length = fixed or min(length, self.longest or length)
        inputs = {"items": as_int64(gather_padded(self.data.items, start, end, length))}
        if RATINGS in self.graph.inputs:
            assert self.data.ratings is not None
            inputs["ratings"] = torch.from_numpy(gather_padded(self.data.ratings, start, end, length))
        if TIMESTAMPS in self.graph.inputs:
            assert self.data.timestamps is not None
            inputs["timestamps"] = as_int64(gather_padded(self.data.timestamps, start, end, length))
            inputs["request_times"] = inputs["timestamps"][:, -1]
        return inputs

    def expected(self, rows: list[int]) -> Tensor:
        """The trained model's scores of these histories: [n, num_items + 1]."""
        users = np.array(rows) + self.run.experiment.loader.data.num_users
        offsets = np.asarray(self.loader.data.offsets)
        with torch.inference_mode():
            return self.run.experiment.model.scores(self.loader.inputs(users, offsets[users], offsets[users + 1]))

    def check(self, scores: Callable[[Inputs], Tensor], fixed: int | None) -> float:
        """The largest relative difference of the exported model's scores. Raises UserError above TOLERANCE."""
        everyone = list(range(len(self.LENGTHS)))
        worst = 0.0
        for rows in (everyone, everyone[:1], everyone[2:5]):
            expected = self.expected(rows)[:, 1:]
            difference = (scores(self.inputs(rows, fixed))[:, 1:] - expected).abs().max()
            worst = max(worst, float(difference / expected.abs().max().clamp_min(1e-6)))
        if not worst <= TOLERANCE:  # NaN, too
            raise UserError(
                f"the exported model {self.run.experiment.model.code} gives other scores than the trained one "
                f"(difference {worst:.1e}, tolerance {TOLERANCE:.0e}): nothing is written"
            )
        return worst


def _random_histories(data: SequenceData, lengths: tuple[int, ...]) -> SequenceData:
    """One user per length, with repeated items, and with times and ratings like those of the data."""
    random = np.random.default_rng(0)
    count = sum(lengths)
    times, ratings = data.timestamps, data.ratings
    gaps = random.integers(1, 100_000, count)
    return replace(
        data,
        items=random.integers(1, data.num_items + 1, count).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        timestamps=None if times is None else np.cumsum(gaps) + int(np.median(times)),
        ratings=None if ratings is None else random.choice(ratings, count),
        user_ids=np.arange(len(lengths)),
    )
