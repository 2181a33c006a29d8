"""NARM (Li et al. 2017): a GRU over the session, and attention of its last state over all states."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.gru4rec import init_gru
from models.layers.chunks import by_rows
from models.layers.dropout import Dropout
from models.layers.embedding import init_parameters
from models.layers.padding import at_last
from models.next_item import NextItemModel, NextItemOptions

ENTRIES = 2_000_000  # hidden units of pairs of positions in memory at once, about


class NARMOptions(NextItemOptions):
    """Options of model `narm`."""

    gru_units: int = Field(100, ge=1, description="width of the GRU's state; hidden_units is that of the embeddings")
    attention_units: int = Field(
        16, ge=1, description="hidden units of the attention's network, which sees each pair of positions (the cost)"
    )
    dropout: float = Field(0.25, ge=0, lt=1, description="dropout of the embeddings and of the joined states")


class NARM(NextItemModel):
    """h_t = GRU(E[item_t], h_(t-1)); c_t = sum over j <= t of a_tj h_j with a_tj = v sigmoid(A1 h_t + A2 h_j); logits
    of the next item are E @ (B [h_t, c_t])."""

    code = "narm"
    Options = NARMOptions
    options: NARMOptions

    def __init__(self, options: NARMOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        units = options.gru_units
        self.gru = nn.GRU(options.hidden_units, units, batch_first=True)
        self.query = nn.Linear(units, options.attention_units, bias=False)
        self.key = nn.Linear(units, options.attention_units, bias=False)
        self.score = nn.Linear(options.attention_units, 1, bias=False)
        self.output = nn.Linear(2 * units, options.hidden_units, bias=False)
        self.dropout = Dropout(options.dropout)
        init_parameters(self, options.hidden_units**-0.5)
        init_gru(self.gru)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        hidden, _ = self.gru(self.dropout(self.items(items)))  # [B, T, gru_units]
        return self._joined(hidden, hidden, torch.arange(items.shape[1], device=items.device).expand_as(items))

    def last_states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        hidden, _ = self.gru(self.dropout(self.items(items)))
        return self._joined(at_last(hidden, lengths), hidden, (lengths - 1).clamp_min(0)[:, None]).squeeze(1)

    def _joined(self, asking: Tensor, hidden: Tensor, places: Tensor) -> Tensor:
        """B [h_t, c_t] of the states that ask [B, Q, units], at positions int64 [B, Q] of hidden [B, T, units]."""
        queries, keys = self.query(asking), self.key(hidden)
        rows = max(1, ENTRIES // (queries.shape[1] * keys.shape[1] * keys.shape[2]))
        local = by_rows(self._attend, rows, queries, keys, hidden, places)
        output: Tensor = self.output(self.dropout(torch.cat([asking, local], -1)))
        return output

    def _attend(self, queries: Tensor, keys: Tensor, hidden: Tensor, places: Tensor) -> Tensor:
        """c of some rows: [b, Q, units]"""
        weights = self.score((queries[:, :, None] + keys[:, None]).sigmoid()).squeeze(3)  # [b, Q, T, 1] -> [b, Q, T]
        past = torch.arange(keys.shape[1], device=keys.device) <= places[:, :, None]
        mixed: Tensor = (weights * past) @ hidden
        return mixed
