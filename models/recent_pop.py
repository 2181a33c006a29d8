"""Recent popularity: the most consumed items of the days before the request. Under a time split it is hard to beat."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

import torch
from pydantic import Field
from torch import Tensor

from common.schema import Options
from models.base import Dimensions, FittedModel, pick
from models.layers.timed_counts import count_between

if TYPE_CHECKING:
    from dataloaders.batch import Batch

SECONDS_OF_DAY = 24 * 3600


class TimedPopularity(FittedModel):
    """Popularity at the time of the request: no training interaction at that second or later counts.

    For a request after the end of training, time stands still at the end.
    """

    dataloader_code = "plain"
    needs = frozenset({"timestamps"})
    export_refusal = "it counts training interactions before each request, so it needs all of them"
    item_ids: Tensor
    times: Tensor

    def __init__(self, options: Any, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        for name in ("item_ids", "times"):  # of all training interactions, by time
            self.register_buffer(name, torch.zeros(dimensions.num_interactions, dtype=torch.int64))

    @classmethod
    def knows_request_time(cls, options: Any) -> bool:
        return True

    def fit(self, items: Tensor, offsets: Tensor, timestamps: Tensor | None = None) -> None:
        assert timestamps is not None
        self.times, order = timestamps.sort(stable=True)
        self.item_ids = items[order]

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        requests = cast(Tensor, batch.request_times)  # [B]
        if len(self.times):
            requests = requests.clamp_max(self.times[-1] + 1)
        return pick(self.popularity(requests).float(), candidates)

    @abstractmethod
    def popularity(self, requests: Tensor) -> Tensor:
        """[B, V + 1] at times int64 [B], seconds UTC."""


class RecentPopOptions(Options):
    """Options of model `recent_pop`."""

    window_days: float = Field(7.0, gt=0, description="days before the request whose interactions count")


class RecentPop(TimedPopularity):
    """score(item) = number of training interactions with it in the `window_days` before the request."""

    code = "recent_pop"
    Options = RecentPopOptions
    options: RecentPopOptions

    def popularity(self, requests: Tensor) -> Tensor:
        first = requests - round(self.options.window_days * SECONDS_OF_DAY)
        bounds = torch.stack([first, requests])
        counts = count_between(self.item_ids, self.times, bounds, self.dimensions.num_items + 1)
        before = counts.values.cumsum(0)  # [R, V + 1], interactions before each bound
        return before[counts.rows(requests)] - before[counts.rows(first)]
