"""RecVAE (Shenbin et al. 2020): a VAE with a composite prior, trained alternately: encoder, decoder."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, ClassVar, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput, corrupted
from models.losses.priors import log_normal
from models.losses.softmax import softmax_cross_entropy
from models.losses.variational import reparameterize

if TYPE_CHECKING:
    from dataloaders.batch import Batch

PRIOR_WEIGHTS = (3 / 20, 3 / 4, 1 / 10)  # of N(0, 1), of the posterior before, of the wide normal
WIDE_LOG_VARIANCE = 10.0
LAYERS = 5


class RecVAEOptions(Options):
    """Options of model `recvae`."""

    renamed: ClassVar[dict[str, str]] = {"hidden_size": "hidden_units"}

    hidden_units: int = Field(600, ge=1, description="width of the encoder's layers")
    latent_size: int = Field(200, ge=1, description="width of the latent code z")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="share of the input's items dropped while the encoder is trained"
    )
    kl_scale: float = Field(0.005, ge=0, description="gamma: the KL term's weight for each item of a user")
    encoder_epochs: int = Field(3, ge=1, description="epochs of training the encoder, before each turn of the decoder")
    decoder_epochs: int = Field(1, ge=1, description="epochs of training the decoder, after each turn of the encoder")


class DenseEncoder(nn.Module):
    """Five layers with swish and layer norm; each gets the sum of all before it. -> mu, log variance [B, K]."""

    def __init__(self, size: int, width: int, latent_size: int) -> None:
        super().__init__()
        self.input = BagInput(size, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(LAYERS - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=0.1) for _ in range(LAYERS))
        self.output = nn.Linear(width, 2 * latent_size)

    def forward(self, items: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """items int64 [B, L], weights [B, L]."""
        hidden = self.norms[0](F.silu(self.input(items, weights)))
        total = hidden
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            hidden = norm(F.silu(layer(hidden) + total))
            total = total + hidden
        mu, log_variance = self.output(hidden).chunk(2, dim=1)
        return mu, log_variance


class RecVAE(Model):
    """loss = -sum_i x_i log softmax(W z + b)_i + gamma |x| KL(q(z|x) || p(z|x)), averaged over users, at a draw of z.

    p(z|x) mixes, in each coordinate, N(0, 1), the posterior of the encoder before its current turn, and a wide normal.
    While the decoder is trained, the input has no dropout and the loss no KL term.
    """

    code = "recvae"
    Options = RecVAEOptions
    dataloader_code = "bag"
    options: RecVAEOptions

    def __init__(self, options: RecVAEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        self.encoder = DenseEncoder(size, options.hidden_units, options.latent_size)
        self.before = copy.deepcopy(self.encoder).requires_grad_(False)
        self.output = nn.Linear(options.latent_size, size)

    def decoder_turn(self, step: int) -> tuple[bool, bool]:
        """Whether the decoder is trained in this step, and whether its turn starts here."""
        options, steps = self.options, max(1, self.dimensions.steps_per_epoch)
        epoch, within = divmod(step, steps)
        turn = epoch % (options.encoder_epochs + options.decoder_epochs)
        return turn >= options.encoder_epochs, turn == options.encoder_epochs and within == 0

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        weights = cast(Tensor, batch.weights)
        decoder_learns, begins = self.decoder_turn(step)
        if begins:
            self.before.load_state_dict(self.encoder.state_dict())
        if decoder_learns:
            with torch.no_grad():
                mu, log_variance = self.encoder(batch.items, corrupted(weights, 0.0, None))
                z = reparameterize(mu, log_variance, generator)
            error = self._cross_entropy(z, batch, self.output.weight, self.output.bias)
            return error, {"cross_entropy": error.detach()}
        mu, log_variance = self.encoder(batch.items, corrupted(weights, self.options.dropout, generator))
        z = reparameterize(mu, log_variance, generator)
        error = self._cross_entropy(z, batch, self.output.weight.detach(), self.output.bias.detach())
        own = log_normal(z, mu, log_variance)
        kl = (own - self.log_prior(z, batch)).sum(1)  # [B]
        loss = error + self.options.kl_scale * (weights.sum(1) * kl).mean()
        return loss, {"cross_entropy": error.detach(), "kl": kl.mean().detach()}

    def log_prior(self, z: Tensor, batch: Batch) -> Tensor:
        """log p(z|x) of each coordinate: [B, K]. The posterior before sees the whole input."""
        with torch.no_grad():
            mu, log_variance = self.before(batch.items, corrupted(cast(Tensor, batch.weights), 0.0, None))
        zero = torch.zeros((), device=z.device)
        parts = ((zero, zero), (mu, log_variance), (zero, zero + WIDE_LOG_VARIANCE))
        weighted = [math.log(w) + log_normal(z, *part) for w, part in zip(PRIOR_WEIGHTS, parts, strict=True)]
        return torch.stack(weighted).logsumexp(0)

    @staticmethod
    def _cross_entropy(z: Tensor, batch: Batch, weight: Tensor, bias: Tensor) -> Tensor:
        share = cast(Tensor, batch.target_weights) / len(batch.users)
        return softmax_cross_entropy(z, weight, bias, cast(Tensor, batch.targets), share)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        mu, _ = self.encoder(batch.items, corrupted(cast(Tensor, batch.weights), 0.0, None))
        return pick(self.output(mu), candidates)
