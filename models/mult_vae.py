"""Mult-VAE (Liang et al. 2018): a variational autoencoder of a user's items with a multinomial likelihood."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput, corrupted, glorot
from models.losses.softmax import softmax_cross_entropy
from models.losses.variational import kl_to_standard_normal, linear_anneal, reparameterize

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class MultVAEOptions(Options):
    """Options of model `mult_vae`."""

    hidden_layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (600,), min_length=1, description="widths of the encoder's hidden layers; the decoder has them in reverse"
    )
    latent_size: int = Field(200, ge=1, description="width of the latent code z")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the input's items dropped in training")
    total_anneal_steps: int = Field(
        200_000, ge=0, description="steps after which the KL weight would reach 1 if anneal_cap did not stop it"
    )
    anneal_cap: float = Field(0.2, ge=0, description="largest weight of the KL term")


class MultVAE(Model):
    """x / |x| -> tanh layers -> (mu, log variance) -> z -> tanh layers -> logits.

    loss = -sum_i x_i log softmax(logits)_i + beta KL(N(mu, sigma^2) || N(0, I)), averaged over users;
    beta grows by 1 / total_anneal_steps a step up to anneal_cap.
    """

    code = "mult_vae"
    Options = MultVAEOptions
    dataloader_code = "bag"
    options: MultVAEOptions

    def __init__(self, options: MultVAEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size, widths = dimensions.num_items + 1, options.hidden_layers
        self.input = BagInput(size, widths[0])
        encoder = [nn.Linear(*pair) for pair in itertools.pairwise((*widths, 2 * options.latent_size))]
        decoder = [nn.Linear(*pair) for pair in itertools.pairwise((options.latent_size, *reversed(widths)))]
        self.encoder = nn.Sequential(*itertools.chain(*((nn.Tanh(), layer) for layer in encoder)))
        self.decoder = nn.Sequential(*itertools.chain(*((layer, nn.Tanh()) for layer in decoder)))
        self.output = nn.Linear(widths[0], size)
        glorot(self)

    def encode(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """mu and log variance of the latent code, [B, K] each; with a generator the input is dropped out."""
        weights = corrupted(cast(Tensor, batch.weights), self.options.dropout, generator)
        mu, log_variance = self.encoder(self.input(batch.items, weights)).chunk(2, dim=1)
        return mu, log_variance

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        mu, log_variance = self.encode(batch, generator)
        hidden = self.decoder(reparameterize(mu, log_variance, generator))
        targets, weights = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)
        share = weights / len(batch.users)
        cross_entropy = softmax_cross_entropy(hidden, self.output.weight, self.output.bias, targets, share)
        kl = kl_to_standard_normal(mu, log_variance).mean()
        beta = linear_anneal(step, self.options.anneal_cap, self.options.total_anneal_steps)
        return cross_entropy + beta * kl, {"cross_entropy": cross_entropy.detach(), "kl": kl.detach()}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        mu, _ = self.encode(batch, None)
        return pick(self.output(self.decoder(mu)), candidates)
