"""BERT4Rec (Sun et al. 2019): a bidirectional transformer that fills in hidden items."""

from __future__ import annotations

from torch import Tensor

from models.base import Dimensions
from models.cloze import ClozeModel, HeadedClozeOptions
from models.layers.attention import BlockForm, Transformer, key_mask, sequence_lengths
from models.layers.dropout import Dropout
from models.layers.embedding import PositionEmbedding, init_parameters


class BertOptions(HeadedClozeOptions):
    """Options of model `bert`."""


class Bert(ClozeModel):
    """x = E[items, hidden ones replaced] + P, then pre-norm blocks over all positions; head as in `ClozeModel`."""

    code = "bert"
    Options = BertOptions
    options: BertOptions

    def __init__(self, options: BertOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width = options.hidden_units
        self.positions = PositionEmbedding(dimensions.max_len, width)
        self.dropout = Dropout(options.dropout)
        self.body = Transformer(
            options.num_blocks,
            BlockForm(
                width,
                options.num_heads,
                options.inner_factor * width,
                options.dropout,
                options.attention_dropout,
            ),
        )
        init_parameters(self)

    def states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        x = self.dropout(embedded + self.positions(embedded.shape[1]))
        hidden: Tensor = self.body(x, key_mask(real))
        return hidden

    def last_states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        x = self.dropout(embedded + self.positions(embedded.shape[1]))
        return self.body.last_only(x, sequence_lengths(real), key_mask(real))
