"""Decayed popularity: every interaction before the request counts, the less the older it is."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from common.schema import Options
from models.layers.timed_counts import count_between
from models.recent_pop import SECONDS_OF_DAY, TimedPopularity


class DecayPopOptions(Options):
    """Options of model `decay_pop`."""

    half_life_days: float = Field(
        30.0, gt=0, description="days after which an interaction counts half; the time constant is this / ln 2"
    )


class DecayPop(TimedPopularity):
    """score(item) = sum of exp(-age / tau) over its interactions before the request, with tau = half-life / ln 2."""

    code = "decay_pop"
    Options = DecayPopOptions
    options: DecayPopOptions

    def popularity(self, requests: Tensor) -> Tensor:
        seconds = self.options.half_life_days * SECONDS_OF_DAY / math.log(2)
        counts = count_between(self.item_ids, self.times, requests, self.dimensions.num_items + 1, seconds)
        elapsed = (counts.bounds[:, None] - counts.bounds).double()  # [R, R], from bound to bound
        kept = torch.exp(-elapsed.clamp_min(0) / seconds).tril()  # what is left of an earlier row's weight
        return (kept @ counts.values)[counts.rows(requests)]
