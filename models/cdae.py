"""CDAE (Wu et al. 2016): a denoising autoencoder with a parameter vector for each user in its hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput, glorot
from models.layers.dropout import drop
from models.losses.bernoulli import bernoulli_loss
from models.losses.softmax import softmax_cross_entropy

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class CDAEOptions(Options):
    """Options of model `cdae`."""

    renamed: ClassVar[dict[str, str]] = {"hidden_size": "hidden_units"}

    hidden_units: int = Field(50, ge=1, description="width of the hidden layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of the input's items dropped in training")
    likelihood: Literal["binary", "multinomial"] = Field("binary", description="likelihood of a user's items")
    negatives_per_item: float | None = Field(
        5.0, gt=0, description="binary: negatives per item consumed, sampled in every step; null = all items"
    )


class CDAE(Model):
    """y = W' s(W x + V_u + b) + b', s the logistic function; loss = cross-entropy over consumed and sampled items.

    V_u starts at 0, the mean of its L2 prior; a user who was not trained on is folded in with V_u = 0.
    """

    code = "cdae"
    Options = CDAEOptions
    dataloader_code = "bag"
    new_user_refusal = "its hidden layer has parameters for each user that it was trained on"
    options: CDAEOptions

    def __init__(self, options: CDAEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        self.input = BagInput(size, options.hidden_units)
        self.user = nn.Parameter(torch.zeros(dimensions.num_users, options.hidden_units))
        self.output = nn.Linear(options.hidden_units, size)
        glorot(self)

    def encode(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """The hidden layer, [B, H]; with a generator the input is dropped out."""
        weights = cast(Tensor, batch.weights)
        if generator is not None:
            weights = drop(weights, self.options.dropout, generator)
        return torch.sigmoid(self.input(batch.items, weights) + self.user[batch.users])

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        hidden = self.encode(batch, generator)
        targets, weights = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)
        if self.options.likelihood == "multinomial":
            share = weights / len(batch.users)
            return softmax_cross_entropy(hidden, self.output.weight, self.output.bias, targets, share), {}
        logits = self.output(hidden)
        counted = self._counted(logits.shape, targets, weights, generator)
        return bernoulli_loss(logits, targets, weights, counted).mean(), {}

    def _counted(
        self, shape: torch.Size, targets: Tensor, weights: Tensor, generator: torch.Generator
    ) -> Tensor | None:
        """1 for a user's items and for about negatives_per_item times as many sampled ones, else 0: [B, V + 1]."""
        if self.options.negatives_per_item is None:
            return None
        taken = (weights > 0).sum(1, keepdim=True)  # [B, 1]
        chance = self.options.negatives_per_item * taken / (shape[1] - 1 - taken).clamp_min(1)
        counted = (torch.rand(shape, generator=generator, device=weights.device) < chance).to(weights.dtype)
        return counted.scatter_(1, targets, 1.0)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return pick(self.output(self.encode(batch, None)), candidates)
