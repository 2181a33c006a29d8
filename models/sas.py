"""SASRec (Kang & McAuley 2018): a causal transformer; with full softmax or gBCE the strongest simple baseline."""

from __future__ import annotations

from pydantic import Field, model_validator
from torch import Tensor

from models.base import Dimensions
from models.layers.attention import BlockForm, Norm, Residual, Transformer, key_mask
from models.layers.dropout import Dropout
from models.layers.embedding import PositionEmbedding, init_parameters
from models.layers.feed_forward import Activation
from models.next_item import NextItemModel, PlacedOptions


class TransformerOptions(PlacedOptions):
    """Options that transformers have in common."""

    num_blocks: int = Field(2, ge=1, description="transformer blocks")
    num_heads: int = Field(2, ge=1, description="attention heads; they divide hidden_units")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and of each layer's output")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights (slow: not fused)")

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerOptions:
        if self.hidden_units % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_units ({self.hidden_units})")
        return self


class SASOptions(TransformerOptions):
    """Options of model `sas`, whose defaults are those of SASRec's published code."""

    residual: Residual = Field(
        "normed", description="what a layer's output is added to: its normalised input, or its plain input"
    )
    gates: bool = Field(
        False, description="multiply the output of each layer by a sigmoid gate of its input, as LiGR does"
    )
    activation: Activation = Field(
        "gelu", description="of the feed-forward layers; swiglu has a third matrix and no biases"
    )
    norm: Norm = Field("layer", description="layer norm, or RMS norm, which doesn't subtract the mean")


class SAS(NextItemModel):
    """x = sqrt(H) E[items] + P, causal blocks (`TransformerBlock`), logits of the next item E @ LN(x)."""

    code = "sas"
    Options = SASOptions
    options: SASOptions

    def __init__(self, options: SASOptions, dimensions: Dimensions) -> None:
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
                options.residual,
                options.gates,
                options.activation,
                options.norm,
            ),
        )
        init_parameters(self, linear_spread=0.5 * width**-0.5)  # .06 for 64 units: it learns sooner than with .02

    def embed(self, items: Tensor, lengths: Tensor) -> Tensor:
        """[B, L, H]"""
        embedded = self.items(items) * self.options.hidden_units**0.5
        places = self.positions.left_aligned(items.shape[1], lengths, self.options.positions_from)
        dropped: Tensor = self.dropout(embedded + places)
        return dropped

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        hidden: Tensor = self.body(self.embed(items, lengths), causal=True)
        return hidden

    def last_states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        return self.body.last_only(self.embed(items, lengths), lengths, key_mask(items), causal=True)
