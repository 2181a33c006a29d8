"""A model as a graph from histories to scores, with what its dataloader does in it: what an export writes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.errors import UserError
from dataloaders import Batch, Dataloader
from dataloaders.bag import BagDataloader
from dataloaders.vae import VAEDataloader
from models import Model
from models.itemknn import ItemKNN
from models.layers.chunks import by_rows
from models.layers.padding import align_left
from models.layers.weighted_bag import weighted_bag

PER_USER = {
    "cdae": "its hidden layer has parameters for each user that it was trained on",
    "marank": "it has a vector for each user that it was trained on, which a history alone doesn't give",
}
REFUSED = {
    "als": "it solves a linear system for each history, which ONNX has no operator for, and loops over rows",
    "autorec": "its rows are items: it makes no lists for users; autorec_user does",
    **PER_USER,
}


class Served(nn.Module):
    """Scores [B, num_items + 1] of histories: items int64 [B, L], oldest first, left-padded with 0."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, items: Tensor) -> Tensor:
        """Column 0 means nothing."""
        return self.model.scores(Batch(users(items), items))


class ServedBag(Served):
    """An item counts once, or, with `counts`, as often as it is there."""

    def __init__(self, model: Model, counts: bool) -> None:
        super().__init__(model)
        self.counts = counts

    def forward(self, items: Tensor) -> Tensor:
        real = (items > 0).float()
        weights = merged(items, real, "sum" if self.counts else "last")
        if isinstance(self.model, ItemKNN):
            return neighbour_scores(self.model, items, weights)
        return self.model.scores(Batch(users(items), items, weights))


class ServedVAE(Served):
    """Weights by the distance from the end, those of an item that repeats merged."""

    by_position: Tensor

    def __init__(self, model: Model, loader: VAEDataloader) -> None:
        super().__init__(model)
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
    """The same of items that the user rated: ratings float32 [B, L]."""

    def forward(self, items: Tensor, ratings: Tensor) -> Tensor:  # type: ignore[override]
        return self.model.scores(Batch(users(items), items, ratings * (items > 0)))


class ServedTimes(Served):
    """The same with times: timestamps int64 [B, L] in seconds, and request_times int64 [B]."""

    def forward(self, items: Tensor, timestamps: Tensor, request_times: Tensor) -> Tensor:  # type: ignore[override]
        following = torch.cat([timestamps[:, 1:], request_times[:, None]], 1)
        batch = Batch(
            users(items), items, timestamps=timestamps, next_timestamps=following, request_times=request_times
        )
        return self.model.scores(batch)


def users(items: Tensor) -> Tensor:
    """Nobody in particular: int64 [B]."""
    return torch.zeros_like(items[:, 0])


def merged(items: Tensor, weights: Tensor, how: str) -> Tensor:
    """Weights with which each item of a row counts once, at its last place, with the sum or the last of its weights."""
    same = items[:, :, None] == items[:, None, :]  # [B, L, L]
    place = torch.arange(items.shape[1], device=items.device)
    is_last = ~(same & (place[:, None] < place)).any(2)
    total = (same * weights[:, None, :]).sum(2) if how == "sum" else weights
    return total * is_last


def neighbour_scores(model: ItemKNN, items: Tensor, weights: Tensor) -> Tensor:
    """What `ItemKNN.scores` computes, by what each item of a history passes on: [B, V + 1]."""
    passed = (model.similarity[items] * weights[:, :, None]).flatten(1)  # [B, L * neighbours]
    zeros = torch.zeros(items.shape[0], model.nearest.shape[0], device=items.device)
    return zeros.scatter_add(1, model.nearest[items].flatten(1), passed)


def gathered_bag(table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """`weighted_bag` by operators that every runtime has: [B, H]."""
    return (weights[:, None, :] @ F.embedding(items, table)).squeeze(1)


def all_rows(function: Callable[..., Tensor], rows: int, *tensors: Tensor) -> Tensor:
    """`by_rows` without its loop, whose length a graph would keep."""
    return function(*tensors)


def moved_left(items: Tensor) -> tuple[Tensor, Tensor]:
    """`align_left` without a remainder by a length that varies."""
    length = items.shape[1]
    lengths = (items > 0).sum(1)
    order = torch.arange(length, device=items.device) + (length - lengths)[:, None]
    return torch.where(order < length, order, order - length), lengths


@contextlib.contextmanager
def traceable_layers() -> Iterator[None]:
    """While the block runs, models use layers that can be traced in place of those that save memory or time."""
    instead: list[tuple[str, object, object]] = [
        ("weighted_bag", weighted_bag, gathered_bag),
        ("by_rows", by_rows, all_rows),
        ("align_left", align_left, moved_left),
    ]
    changed = [
        (module, name, layer, other)
        for module in list(sys.modules.values())
        if module.__name__.startswith("models.")
        for name, layer, other in instead
        if vars(module).get(name) is layer
    ]
    try:
        for module, name, _, other in changed:
            setattr(module, name, other)
        yield
    finally:
        for module, name, layer, _ in changed:
            setattr(module, name, layer)


def served(model: Model, loader: Dataloader) -> Served:
    """The graph of a model with its dataloader. Raises UserError for a model that can't have one."""
    if model.code in REFUSED:
        raise UserError(f"model {model.code} can't be exported: {REFUSED[model.code]}")
    if isinstance(loader, VAEDataloader):
        return ServedVAE(model, loader)
    if isinstance(loader, BagDataloader):
        return ServedBag(model, loader.options.bag_weights == "count")
    if loader.code == "user_ratings":
        return ServedRatings(model)
    if "timestamps" in model.required(model.options):
        return ServedTimes(model)
    return Served(model)
