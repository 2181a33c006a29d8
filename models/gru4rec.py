"""GRU4Rec (Hidasi et al. 2016) with next-item training at every position and the losses of `sas`."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.dropout import Dropout
from models.layers.embedding import init_parameters
from models.next_item import NextItemModel, NextItemOptions


class GRU4RecOptions(NextItemOptions):
    """Options of model `gru4rec`."""

    gru_units: int = Field(256, ge=1, description="width of the GRU's state; hidden_units is that of the embeddings")
    num_layers: int = Field(1, ge=1, description="stacked GRU layers")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of the embeddings and of each layer's output")


def init_gru(gru: nn.GRU) -> None:
    """Orthogonal matrices of the state and Xavier-uniform ones of the input, each gate by itself; biases 0."""
    for name, parameter in gru.named_parameters():
        if parameter.dim() == 2:  # [3 * gru_units, inputs]
            for gate in parameter.data.chunk(3):
                (nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_)(gate)
        else:
            nn.init.zeros_(parameter)


class GRU4Rec(NextItemModel):
    """h_t = GRU(E[item_t], h_(t-1)); logits of the next item are E @ (W h_t)."""

    code = "gru4rec"
    Options = GRU4RecOptions
    options: GRU4RecOptions

    def __init__(self, options: GRU4RecOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        between = options.dropout if options.num_layers > 1 else 0.0
        self.gru = nn.GRU(
            options.hidden_units, options.gru_units, options.num_layers, batch_first=True, dropout=between
        )
        self.output = nn.Linear(options.gru_units, options.hidden_units)
        self.dropout = Dropout(options.dropout)
        init_parameters(self, options.hidden_units**-0.5)
        init_gru(self.gru)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        hidden, _ = self.gru(self.dropout(self.items(items)))  # [B, L, gru_units]
        projected: Tensor = self.output(self.dropout(hidden))
        return projected
