"""Mult-DAE (Liang et al. 2018): a denoising autoencoder of a user's items with a multinomial likelihood."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput, corrupted, glorot
from models.losses.softmax import softmax_cross_entropy

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class MultDAEOptions(Options):
    """Options of model `mult_dae`."""

    hidden_layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (200,), min_length=1, description="widths of the hidden layers up to the code; the decoder has them in reverse"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the input's items dropped in training")


class MultDAE(Model):
    """x / |x| with items dropped -> tanh layers -> logits; loss = -sum_i x_i log softmax(logits)_i, mean over users."""

    code = "mult_dae"
    Options = MultDAEOptions
    dataloader_code = "bag"
    options: MultDAEOptions

    def __init__(self, options: MultDAEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size, widths = dimensions.num_items + 1, options.hidden_layers
        self.input = BagInput(size, widths[0])
        pairs = [*itertools.pairwise(widths), *itertools.pairwise(reversed(widths))]
        layers = ((nn.Linear(*pair), nn.Tanh()) for pair in pairs)
        self.hidden = nn.Sequential(nn.Tanh(), *itertools.chain(*layers))
        self.output = nn.Linear(widths[0], size)
        glorot(self)

    def encode(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """The last hidden layer, [B, H]; with a generator the input is dropped out."""
        weights = corrupted(cast(Tensor, batch.weights), self.options.dropout, generator)
        hidden: Tensor = self.hidden(self.input(batch.items, weights))
        return hidden

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        hidden = self.encode(batch, generator)
        targets, weights = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)
        share = weights / len(batch.users)
        return softmax_cross_entropy(hidden, self.output.weight, self.output.bias, targets, share), {}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return pick(self.output(self.encode(batch, None)), candidates)
