"""V-SKNN (Ludewig & Jannach 2018): session neighbours, with weights for the positions in the input."""

from __future__ import annotations

import torch
from torch import Tensor

from models.session_neighbours import Neighbours, SessionNeighbourOptions, SessionNeighbours


class VSKNNOptions(SessionNeighbourOptions):
    """Options of model `vsknn`."""


class VSKNN(SessionNeighbours):
    """sim(u, n) = mean over u's n items of (place / n) if the item is in n, and 0 otherwise, places counted from 1.

    score(item) = sum over the nearest sessions with it of sim / (age of the most recent common item), ages from 1.
    """

    code = "vsknn"
    Options = VSKNNOptions
    options: VSKNNOptions

    def input_weights(self, lengths: Tensor, columns: int) -> Tensor:
        place = torch.arange(columns) - (columns - lengths)[:, None] + 1  # [B, L]
        return place / lengths.clamp_min(1)[:, None]

    def similarity(self, shared: Tensor, weights: Tensor, sizes: Tensor) -> Tensor:
        return shared / (weights != 0).sum(1, keepdim=True).clamp_min(1)

    def weights(self, neighbours: Neighbours) -> Tensor:
        age = neighbours.length + 1 - neighbours.found.amax(2, keepdim=True)  # [B, K, 1]
        return 1 / age
