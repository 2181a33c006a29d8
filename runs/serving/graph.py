"""The graph that an export writes: from histories to scores, with the dataloader's preprocessing inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.errors import UserError
from dataloaders import Batch, Dataloader
from dataloaders.bag import BagDataloader
from dataloaders.vae import VAEDataloader
from models import Model


@dataclass(frozen=True)
class GraphInput:
    """An input of an exported graph: one value per item of a history, or per history if `per_item` is False.

    `is_value` marks the input that the serving script reads from `VALUE` in `ITEM@VALUE`.
    """

    name: str
    dtype: str
    what: str
    per_item: bool = True
    is_value: bool = False


ITEMS = GraphInput("items", "int64", "numbers of items, oldest first")
RATINGS = GraphInput("ratings", "float32", "their ratings", is_value=True)
TIMESTAMPS = GraphInput("timestamps", "int64", "their times, seconds UTC", is_value=True)
REQUEST_TIMES = GraphInput("request_times", "int64", "time of the request, seconds UTC", per_item=False)


class UserVectors(nn.Module):
    """Gives a model's user vectors [B, D] where a graph asks for scores."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def scores(self, batch: Batch) -> Tensor:
        """[B, D]"""
        return self.model.user_vectors(batch)


class Served(nn.Module):
    """Scores [B, num_items + 1] of histories: items int64 [B, L], oldest first, left-padded with 0."""

    inputs: ClassVar[tuple[GraphInput, ...]] = (ITEMS,)

    def __init__(self, model: Model, loader: Dataloader) -> None:
        super().__init__()
        self.model: Model | UserVectors = model

    def forward(self, items: Tensor) -> Tensor:
        """Scores; column 0 (PAD) has no meaning."""
        return self.model.scores(Batch(users(items), items))


class ServedBag(Served):
    """Each item counts once, or as often as it occurs if the dataloader's bags have counts."""

    def __init__(self, model: Model, loader: BagDataloader) -> None:
        super().__init__(model, loader)
        self.how = "sum" if loader.options.bag_weights == "count" else "last"

    def forward(self, items: Tensor) -> Tensor:
        real = (items > 0).float()
        return self.model.scores(Batch(users(items), items, merged(items, real, self.how)))


class ServedVAE(Served):
    """Items are weighted by their distance from the end; the weights of an item that repeats are merged."""

    by_position: Tensor

    def __init__(self, model: Model, loader: VAEDataloader) -> None:
        super().__init__(model, loader)
        self.register_buffer("by_position", torch.from_numpy(loader.position_weights[:-1].copy()))
        self.how = loader.options.repeat_weights
        self.padding_counts = loader.options.count_padding

    def forward(self, items: Tensor) -> Tensor:
        if self.padding_counts:
            items = F.pad(items, (self.by_position.shape[0] - items.shape[1], 0))
            weights = self.by_position.expand(items.shape[0], -1)
        else:
            weights = self.by_position[self.by_position.shape[0] - items.shape[1] :] * (items > 0)
        return self.model.scores(Batch(users(items), items, merged(items, weights, self.how)))


class ServedRatings(Served):
    """As `Served`, for items with ratings float32 [B, L]."""

    inputs = (ITEMS, RATINGS)

    def forward(self, items: Tensor, ratings: Tensor) -> Tensor:  # type: ignore[override]
        return self.model.scores(Batch(users(items), items, ratings * (items > 0)))


class ServedTimes(Served):
    """As `Served`, for items with timestamps int64 [B, L] in seconds, and with request_times int64 [B]."""

    inputs = (ITEMS, TIMESTAMPS, REQUEST_TIMES)

    def forward(self, items: Tensor, timestamps: Tensor, request_times: Tensor) -> Tensor:  # type: ignore[override]
        following = torch.cat([timestamps[:, 1:], request_times[:, None]], 1)
        batch = Batch(
            users(items), items, timestamps=timestamps, next_timestamps=following, request_times=request_times
        )
        return self.model.scores(batch)


def users(items: Tensor) -> Tensor:
    """User indices int64 [B], which no exported model reads."""
    return torch.zeros_like(items[:, 0])


def merged(items: Tensor, weights: Tensor, how: str) -> Tensor:
    """Weights that count each item of a row once, at its last position, with the sum or the last of its weights."""
    same = items[:, :, None] == items[:, None, :]  # [B, L, L]
    place = torch.arange(items.shape[1], device=items.device)
    is_last = ~(same & (place[:, None] < place)).any(2)
    total = (same * weights[:, None, :]).sum(2) if how == "sum" else weights
    return total * is_last


GRAPHS: dict[str, type[Served]] = {"bag": ServedBag, "user_ratings": ServedRatings, "vae": ServedVAE}
"""Dataloader code -> its graph, for dataloaders whose batches add more than times to the items of a history."""


def served(model: Model, loader: Dataloader, vectors: bool = False) -> Served:
    """The graph of a model with its dataloader, which gives user vectors instead of scores if asked to.

    Raises UserError if the model can't be exported.
    """
    refusal = model.export_refusal or model.new_user_refusal
    if refusal is not None:
        raise UserError(f"model {model.code} can't be exported: {refusal}")
    with_times = "timestamps" in model.required(model.options)
    graph = GRAPHS.get(loader.code, ServedTimes if with_times else Served)(model, loader)
    if vectors:
        graph.model = UserVectors(model)
    return graph
