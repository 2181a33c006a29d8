"""BPR-MF (Rendle et al. 2009): matrix factorization that ranks a user's items above others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model
from models.layers.dropout import Dropout
from models.layers.embedding import ItemEmbedding
from models.losses.sampled import bayesian_personalized_ranking

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class BPRMFOptions(Options):
    """Options of model `bpr_mf`."""

    hidden_units: int = Field(64, ge=1, description="width of the user and item vectors")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout of what the items' vectors are multiplied with")


class BPRMF(Model):
    """score(user, item) = <x_user, y_item>; loss = -log sigmoid(score of the target - score of a negative)."""

    code = "bpr_mf"
    Options = BPRMFOptions
    dataloader_code = "pairwise"
    new_user_refusal = "it has a vector for each user that it was trained on, which a history alone doesn't give"
    tables = 1  # pairs of vectors whose products are added

    @classmethod
    def touches_rows(cls, options: BPRMFOptions) -> bool:
        return True

    def __init__(self, options: Any, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width = options.hidden_units
        self.users = nn.Embedding(dimensions.num_users, width)
        self.items = ItemEmbedding(dimensions.num_items, width * self.tables)
        self.dropout = Dropout(options.dropout)
        self.reset(self.users.weight, self.items.weight)

    def reset(self, *tables: Tensor) -> None:
        """First values ~ N(0, 0.1^2 / width), so that products start small."""
        for table in tables:
            nn.init.normal_(table, 0.0, 0.1 * self.options.hidden_units**-0.5)
        with torch.no_grad():
            self.items.weight[0] = 0  # PAD

    def vectors(self, batch: Batch) -> Tensor:
        """What the items' vectors are multiplied with: [B, W]."""
        vectors: Tensor = self.users(batch.users)
        return vectors

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """BPR of the target against the negative, averaged over the batch."""
        assert batch.targets is not None and batch.negatives is not None
        negatives = batch.negatives[:, 0]  # [B, 1, K] -> [B, K]
        scores = self.items.logits(
            self.dropout(self.vectors(batch)), torch.cat([batch.targets, negatives], 1)
        )  # [B, 1 + K]
        against = scores[:, 1:].masked_fill(negatives == 0, -torch.inf)
        return bayesian_personalized_ranking(scores[:, 0], against).mean(), {}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return self.items.logits(self.vectors(batch), candidates)

    def item_vectors(self) -> Tensor:
        return self.items.vectors()

    def user_vectors(self, batch: Batch) -> Tensor:
        return self.items.states(self.vectors(batch))
