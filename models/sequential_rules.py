"""Sequential rules (Kamehkhosh et al. 2017): items that follow the last one closely in other histories."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from models.layers.lagged_pairs import LaggedPairs
from models.layers.matrix_memory import MatrixOptions
from models.markov import LastItemModel


class SequentialRulesOptions(MatrixOptions):
    """Options of model `sequential_rules`."""

    steps: int = Field(10, ge=1, description="largest number of positions from an item to one that follows it")
    rules_per_item: int | None = Field(
        None, ge=1, description="keep this many rules per item, the strongest; null = all"
    )


class SequentialRules(LastItemModel):
    """score(j) after item i = sum of 1 / d over the places where j follows i at a distance d of at most `steps`."""

    code = "sequential_rules"
    title = "SequentialRules"
    Options = SequentialRulesOptions
    options: SequentialRulesOptions

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        pairs = LaggedPairs(items, offsets)
        self.table.zero_()
        for lag in range(1, min(self.options.steps, pairs.longest) + 1):
            first = pairs.first(lag)
            pairs.add(self.table, lag, first, torch.full(first.shape, 1 / lag, device=first.device))
        kept = self.options.rules_per_item
        if kept is not None and kept < len(self.table):
            values, columns = self.table.topk(kept, dim=1)
            self.table.zero_().scatter_(1, columns, values)
