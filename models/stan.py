"""STAN (Garg et al. 2019): session neighbours, weighted by the recency of items and sessions, and by nearness."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from models.session_neighbours import Neighbours, SessionNeighbourOptions, SessionNeighbours

SECONDS_OF_DAY = 24 * 3600


class STANOptions(SessionNeighbourOptions):
    """Options of model `stan`."""

    input_decay: float = Field(
        1.02, gt=0, description="positions after which an item of the input counts 1/e as much (lambda 1)"
    )
    session_decay_days: float = Field(
        5.0, gt=0, description="with use_time: days after which a session counts 1/e as much (lambda 2)"
    )
    place_decay: float = Field(
        2.05,
        gt=0,
        description="positions from a neighbour's last common item to one that counts 1/e as much (lambda 3)",
    )


class STAN(SessionNeighbours):
    """sim(u, n) = sum over common items of w / (|w| sqrt(|n|)) * exp(-age of n / lambda 2), w = exp(-age / lambda 1).

    score(item) = sum over the nearest n of sim * exp(-distance from n's last common item / lambda 3).
    """

    code = "stan"
    Options = STANOptions
    options: STANOptions

    def input_weights(self, lengths: Tensor, columns: int) -> Tensor:
        age = torch.arange(columns - 1, -1, -1)
        return torch.exp(-age / self.options.input_decay).expand(len(lengths), -1)

    def similarity(self, shared: Tensor, weights: Tensor, sizes: Tensor) -> Tensor:
        norms = weights.square().sum(1, keepdim=True).sqrt().clamp_min(1e-9)  # [B, 1]
        return shared / (norms * sizes.sqrt())

    def time_weights(self, ages: Tensor) -> Tensor:
        return torch.exp(-ages / (self.options.session_decay_days * SECONDS_OF_DAY)).float()

    def weights(self, neighbours: Neighbours) -> Tensor:
        place = torch.arange(neighbours.items.shape[2])
        last = torch.where(neighbours.found > 0, place, -1).amax(2, keepdim=True)  # [B, K, 1]
        return torch.exp(-(place - last).abs() / self.options.place_decay)
