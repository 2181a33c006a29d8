"""AutoRec (Sedhain et al. 2015): an autoencoder of rating rows; a row is an item (I-AutoRec) or a user (U-AutoRec)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class AutoRecOptions(Options):
    """Options of the models `autorec` and `autorec_user`."""

    renamed: ClassVar[dict[str, str]] = {"hidden_size": "hidden_units"}

    hidden_units: int = Field(500, ge=1, description="width of the hidden layer")
    hidden_activation: Literal["sigmoid", "identity"] = Field("sigmoid", description="activation g of the hidden layer")
    output_activation: Literal["identity", "sigmoid"] = Field(
        "identity", description="activation f of the output; sigmoid is scaled to ratings from 0 to rating_scale"
    )
    rating_scale: float = Field(5.0, gt=0, description="the highest rating, where the output is a sigmoid")
    l2: float = Field(1.0, ge=0, description="lambda: L2 penalty on the weights W and V")


class AutoRec(Model):
    """h(r) = f(W g(V r + mu) + b).

    loss = (sum over the batch's observed ratings of (r - h(r))^2 + lambda/2 n/N (|W|^2 + |V|^2)) / n
    for the n of N rows that are in the batch. The input is sparse: unobserved ratings are 0.
    """

    code = "autorec"
    Options = AutoRecOptions
    dataloader_code = "item_ratings"
    export_refusal: ClassVar[str | None] = "its rows are items, so it makes no lists for users; autorec_user does"
    needs = frozenset({"ratings"})
    options: AutoRecOptions

    def __init__(self, options: AutoRecOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        rows, columns = self.shape(dimensions)
        self.rows = rows
        self.input = BagInput(columns + 1, options.hidden_units)
        self.output = nn.Linear(options.hidden_units, columns + 1)
        nn.init.xavier_normal_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    @staticmethod
    def shape(dimensions: Dimensions) -> tuple[int, int]:
        """Rows and columns of the rating matrix that the model reads."""
        return dimensions.num_items, dimensions.num_users

    def predict(self, columns: Tensor, ratings: Tensor) -> Tensor:
        """All ratings of these rows: [B, columns + 1]."""
        hidden = self.input(columns, ratings)
        if self.options.hidden_activation == "sigmoid":
            hidden = torch.sigmoid(hidden)
        predicted: Tensor = self.output(hidden)
        if self.options.output_activation == "sigmoid":
            predicted = self.options.rating_scale * torch.sigmoid(predicted)
        return predicted

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        columns, ratings = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)
        predicted = self.predict(batch.items, cast(Tensor, batch.weights)).gather(1, columns)  # [B, L]
        error = ((predicted - ratings) * (columns > 0)).square().sum()
        weights = self.input.table.square().sum() + self.output.weight.square().sum()
        loss = error / len(columns) + 0.5 * self.options.l2 * weights / self.rows
        return loss, {"mean_squared_error": error.detach() / (columns > 0).sum()}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Predicted ratings."""
        return pick(self.predict(batch.items, cast(Tensor, batch.weights)), candidates)


class UserAutoRec(AutoRec):
    """U-AutoRec: the rows are users, so it scores items for any user with ratings."""

    code = "autorec_user"
    dataloader_code = "user_ratings"
    export_refusal = None

    @staticmethod
    def shape(dimensions: Dimensions) -> tuple[int, int]:
        return dimensions.num_users, dimensions.num_items
