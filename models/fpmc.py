"""FPMC (Rendle et al. 2010): matrix factorization and a factorized Markov chain, added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.base import Dimensions
from models.bpr_mf import BPRMF, BPRMFOptions
from models.layers.embedding import ItemEmbedding

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class FPMCOptions(BPRMFOptions):
    """Options of model `fpmc`."""


class FPMC(BPRMF):
    """score(user, item) = <x_user, y_item> + <l_last, n_item> with the user's last item; the loss is that of BPR-MF."""

    code = "fpmc"
    Options = FPMCOptions
    tables = 2

    def __init__(self, options: FPMCOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.last = ItemEmbedding(dimensions.num_items, options.hidden_units)
        self.reset(self.last.weight)
        with torch.no_grad():
            self.last.weight[0] = 0  # no last item

    def vectors(self, batch: Batch) -> Tensor:
        return torch.cat([self.users(batch.users), self.last(batch.items[:, -1])], 1)
