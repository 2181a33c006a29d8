"""Caser (Tang & Wang 2018): convolutions over the last few items, with an embedding of the user."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.dropout import Dropout
from models.layers.embedding import ItemEmbedding, init_parameters
from models.next_item import NextItemModel, NextItemOptions, make_items


class CaserOptions(NextItemOptions):
    """Options of model `caser`."""

    markov_order: int = Field(5, ge=1, description="items that the convolutions see: the last ones")
    horizontal_filters: int = Field(16, ge=1, description="filters over all units of 1, 2, ... markov_order items")
    vertical_filters: int = Field(4, ge=1, description="weighted sums of the last markov_order items")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of what the convolutions found")
    item_bias: bool = Field(True, description=NextItemOptions.model_fields["item_bias"].description)


class Caser(NextItemModel):
    """z = relu(W [o_h, o_v] + b) of the last items' embeddings; logits of the next item are E' @ [z, P_user] + bias.

    o_h are the largest values of relu(convolution) over the window, for filters of each height; o_v are weighted sums
    over the window. Positions before the start count as 0.
    """

    code = "caser"
    Options = CaserOptions
    new_user_refusal = "it has parameters for each user, so it can't score new users"
    options: CaserOptions

    def __init__(self, options: CaserOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width, order = options.hidden_units, options.markov_order
        self.context = ItemEmbedding(dimensions.num_items, width)
        self.items = make_items(options, dimensions.num_items, 2 * width)
        self.users = nn.Embedding(dimensions.num_users, width)
        self.horizontal = nn.ModuleList(
            nn.Conv1d(width, options.horizontal_filters, height) for height in range(1, order + 1)
        )
        self.vertical = nn.Linear(order, options.vertical_filters)
        self.join = nn.Linear(order * options.horizontal_filters + options.vertical_filters * width, width)
        self.dropout = Dropout(options.dropout)
        init_parameters(self, width**-0.5)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """z: [B, T, width]"""
        order = self.options.markov_order
        x = F.pad(self.context(items).transpose(1, 2), (order - 1, 0))  # [B, width, T + order - 1]
        found = []
        for height, convolution in enumerate(self.horizontal, 1):
            places = order + 1 - height  # of the filter in the window
            found.append(F.max_pool1d(F.relu(convolution(x)), places, stride=1))  # [B, filters, T]
        weighted = self.vertical(x.unfold(2, order, 1))  # [B, width, T, order] -> [B, width, T, filters]
        joined = torch.cat([*found, weighted.permute(0, 3, 1, 2).flatten(1, 2)], 1).transpose(1, 2)
        return F.relu(self.join(self.dropout(joined)))

    def with_users(self, states: Tensor, users: Tensor) -> Tensor:
        user = self.users(users)  # [B, width]
        if states.dim() == 3:
            user = user[:, None].expand(-1, states.shape[1], -1)
        return torch.cat([states, user], -1)
