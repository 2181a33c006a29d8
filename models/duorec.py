"""DuoRec (Qiu et al. 2022): SASRec with a contrastive term that keeps states of different targets apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor

from models.losses import LOSSES
from models.losses.contrastive import contrastive_loss, random_partners
from models.sas import SAS, SASOptions

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class DuoRecOptions(SASOptions):
    """Options of model `duorec`."""

    dropout_weight: float = Field(0.1, ge=0, description="weight of the term that pairs two dropouts of a sequence")
    target_weight: float = Field(0.1, ge=0, description="weight of the term that pairs sequences with the same target")
    contrast_temperature: float = Field(1.0, gt=0, description="divides the products of states in the two terms")
    contrast_positions: int = Field(
        256, ge=2, description="positions that are compared with each other, drawn from each part of a batch"
    )


class DuoRec(SAS):
    """`sas`, whose loss has two contrastive terms (`contrastive_loss`) of randomly drawn positions.

    The views of a position are its states under two dropouts; and its state and that of another position of the batch
    with the same target, if there is one.
    """

    code = "duorec"
    Options = DuoRecOptions
    options: DuoRecOptions

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of `sas` and the two terms."""
        options = self.options
        predictions = self.predictions(batch, generator)
        loss = LOSSES[options.loss].function(predictions, options)
        used = predictions.targets > 0
        states, targets = predictions.hidden[used], predictions.targets[used]  # [N, H], [N]
        drawn = torch.randperm(len(targets), generator=generator, device=targets.device)[: options.contrast_positions]
        parts: dict[str, Tensor] = {}
        if options.dropout_weight:
            again = self.predictions(batch, generator).hidden[used][drawn]
            term = contrastive_loss(states[drawn], again, targets[drawn], options.contrast_temperature)
            loss, parts["dropout_term"] = loss + options.dropout_weight * term, term.detach()
        if options.target_weight:
            partners = random_partners(targets, generator)
            paired = drawn[partners[drawn] != drawn]
            term = contrastive_loss(
                states[paired], states[partners[paired]], targets[paired], options.contrast_temperature
            )
            loss, parts["target_term"] = loss + options.target_weight * term, term.detach()
        return loss, parts
