"""MARank (Yu et al. 2019): attention of several orders over a user's recent items, trained pairwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model
from models.layers.attention import open_keys
from models.layers.dropout import Dropout
from models.layers.embedding import ItemEmbedding, init_parameters
from models.losses.sampled import bayesian_personalized_ranking

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class MARankOptions(Options):
    """Options of model `marank`."""

    hidden_units: int = Field(64, ge=1, description="width of the embeddings")
    marank_num_att_layers: int = Field(2, ge=0, description="orders of attention beyond that of the embeddings")
    marank_num_linear_layers: int = Field(2, ge=0, description="residual layers over the attended items")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout before each linear layer")


class Residual(nn.Module):
    """relu(W dropout(x) + x)"""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(self.dropout(x)) + x)


class Attention(nn.Module):
    """sum_j a_j x_j with a = softmax_j(sigmoid(w . tanh(W x_j + U u))), over unmasked positions."""

    def __init__(self, width: int, dropout: float, with_user: bool) -> None:
        super().__init__()
        self.item = nn.Linear(width, width)
        self.user = nn.Linear(width, width, bias=False) if with_user else None
        self.score = nn.Linear(width, 1)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, user: Tensor | None, mask: Tensor | None) -> Tensor:
        """x [B, T, H], user [B, H], mask bool [B, T] -> [B, H]"""
        hidden = self.item(self.dropout(x))
        if self.user is not None and user is not None:
            hidden = hidden + self.user(self.dropout(user))[:, None, :]
        weights = self.score(hidden.tanh()).squeeze(2).sigmoid()  # [B, T, 1] -> [B, T]
        if mask is not None:
            weights = weights.masked_fill(~mask, -torch.inf)
        return torch.bmm(weights.softmax(1)[:, None, :], x).squeeze(1)  # [B, 1, T] x [B, T, H]


class MARank(Model):
    """score(item) = state . C[item] + user . L[item]: short-term and long-term preference."""

    code = "marank"
    Options = MARankOptions
    dataloader_code = "pairwise"
    new_user_refusal = "it has a vector for each user that it was trained on, which a history alone doesn't give"
    options: MARankOptions

    @classmethod
    def touches_rows(cls, options: MARankOptions) -> bool:
        return True

    def __init__(self, options: MARankOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width, dropout, orders = options.hidden_units, options.dropout, options.marank_num_att_layers
        self.users = nn.Embedding(dimensions.num_users, width)
        self.lasting = ItemEmbedding(dimensions.num_items, width)
        self.context = ItemEmbedding(dimensions.num_items, width)
        self.attention = nn.ModuleList(Attention(width, dropout, True) for _ in range(orders + 1))
        self.user_layers = nn.ModuleList(Residual(width, dropout) for _ in range(orders))
        self.item_layers = nn.ModuleList(Residual(width, dropout) for _ in range(orders))
        self.join = Attention(width, dropout, False)
        self.output = nn.Sequential(*(Residual(width, dropout) for _ in range(options.marank_num_linear_layers)))
        init_parameters(self, width**-0.5)
        nn.init.zeros_(self.users.weight)  # users without training pairs keep a vector of 0

    def state(self, items: Tensor, user: Tensor) -> Tensor:
        """int64 [B, T] items and users' vectors [B, H] -> [B, H]"""
        real = items > 0
        mask = open_keys(real)
        x = self.context(items)  # [B, T, H]
        attended = [self.attention[0](x, user, mask) + x[:, -1]]
        for attention, user_layer, item_layer in zip(
            self.attention[1:], self.user_layers, self.item_layers, strict=True
        ):
            user, x = user_layer(user), item_layer(x)
            attended.append(attention(x, user, mask))
        joined = self.join(torch.stack(attended, 1), None, None)
        output: Tensor = self.output(joined) + joined
        return output

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """BPR of the target against the negative, averaged over the batch."""
        assert batch.targets is not None and batch.negatives is not None
        user = self.users(batch.users)
        state = self.state(batch.items, user)
        negatives = batch.negatives[:, 0]  # [B, 1, K] -> [B, K]
        scores = self._logits(state, user, torch.cat([batch.targets, negatives], 1))  # [B, 1 + K]
        against = scores[:, 1:].masked_fill(negatives == 0, -torch.inf)
        return bayesian_personalized_ranking(scores[:, 0], against).mean(), {}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        user = self.users(batch.users)
        return self._logits(self.state(batch.items, user), user, candidates)

    def _logits(self, state: Tensor, user: Tensor, candidates: Tensor | None) -> Tensor:
        """[B, V + 1], or [B, C] of the candidates."""
        return self.context.logits(state, candidates) + self.lasting.logits(user, candidates)
