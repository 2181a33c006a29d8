"""H+Vamp (Kim & Suh 2019): a VAE for collaborative filtering with a VampPrior, two stochastic layers and gated units.

Each of the three is an option, for ablations from Mult-VAE to H+Vamp (Gated).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.bag_input import BagInput, corrupted
from models.layers.dropout import drop
from models.layers.hidden import HiddenLayers, activate
from models.losses.bernoulli import bernoulli_loss
from models.losses.priors import kl_between_normals, log_mixture, log_normal
from models.losses.softmax import softmax_cross_entropy
from models.losses.variational import kl_to_standard_normal, linear_anneal, reparameterize

if TYPE_CHECKING:
    from dataloaders.batch import Batch

PSEUDO_INPUT_MEAN, PSEUDO_INPUT_STD = 0.05, 0.01
LOG_VARIANCE_RANGE = (-12.0, 4.0)


class HVampOptions(Options):
    """Options of model `hvamp`."""

    renamed: ClassVar[dict[str, str]] = {"hidden_size": "hidden_units"}

    prior: Literal["standard", "vamp"] = Field(
        "vamp",
        description="prior of the (upper) latent code: N(0, I), or the mixture of the posteriors of pseudo-inputs",
    )
    hierarchical: bool = Field(True, description="two stochastic layers: z2 from x, z1 from x and z2")
    gated: bool = Field(True, description="gated linear units in place of tanh")
    num_layers: int = Field(1, ge=1, description="hidden layers of each encoder and decoder")
    likelihood: Literal["multinomial", "binary"] = Field("multinomial", description="likelihood of a user's items")
    hidden_units: int = Field(600, ge=1, description="width of the hidden layers")
    latent_size: int = Field(200, ge=1, description="width of each latent code")
    pseudo_inputs: int = Field(1000, ge=1, description="components K of the VampPrior")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the input's items dropped in training")
    warmup_epochs: float = Field(100, ge=0, description="epochs in which the weight of the KL term grows to max_beta")
    max_beta: float = Field(0.3, ge=0, description="largest weight of the KL term")


@dataclass(frozen=True)
class Gaussian:
    """Diagonal normal distributions: mu and log variance, [B, K] each."""

    mu: Tensor
    log_variance: Tensor

    def draw(self, generator: torch.Generator | None) -> Tensor:
        """A sample of each distribution; its mean without a generator."""
        return self.mu if generator is None else reparameterize(self.mu, self.log_variance, generator)


class ToGaussian(nn.Module):
    """A linear layer to mu and to the log variance, which is kept within LOG_VARIANCE_RANGE."""

    def __init__(self, width: int, latent_size: int) -> None:
        super().__init__()
        self.both = nn.Linear(width, 2 * latent_size)

    def forward(self, hidden: Tensor) -> Gaussian:
        mu, log_variance = self.both(hidden).chunk(2, dim=1)
        return Gaussian(mu, F.hardtanh(log_variance, *LOG_VARIANCE_RANGE))


def _he_normal(weight: Tensor, inputs: int) -> None:
    nn.init.normal_(weight, 0.0, math.sqrt(2 / inputs))


class HVamp(Model):
    """q(z2|x), q(z1|x, z2), p(z1|z2), p(x|z1, z2); not hierarchical: q(z2|x), p(x|z2).

    loss = -log p(x|z) + beta KL, KL = KL(q(z1|x, z2) || p(z1|z2)) + log q(z2|x) - log p(z2) at a draw of z2, and
    p(z2) = 1/K sum_k q(z2|u_k) with learned pseudo-inputs u_k in [0, 1]^V, or N(0, I).
    """

    code = "hvamp"
    Options = HVampOptions
    dataloader_code = "bag"
    options: HVampOptions

    def __init__(self, options: HVampOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size, width, latent, gated = dimensions.num_items + 1, options.hidden_units, options.latent_size, options.gated
        first = 2 * width if gated else width
        more = options.num_layers - 1
        self.input2 = BagInput(size, first)
        self.hidden2 = HiddenLayers(width, width, more, gated)
        self.q_z2 = ToGaussian(width, latent)
        if options.hierarchical:
            self.input1 = BagInput(size, first)
            self.input1_z2 = nn.Linear(latent, first, bias=False)  # a layer over (x, z2) is the sum of one over each
            self.hidden1 = HiddenLayers(width, width, more, gated)
            self.q_z1 = ToGaussian(width, latent)
            self.prior_hidden = HiddenLayers(latent, width, options.num_layers, gated)
            self.p_z1 = ToGaussian(width, latent)
        codes = 2 * latent if options.hierarchical else latent
        self.decoder = HiddenLayers(codes, width, options.num_layers, gated)
        self.output = nn.Linear(width, size)
        if options.prior == "vamp":
            self.pseudo = nn.Parameter(torch.empty(options.pseudo_inputs, dimensions.num_items))
        self._initialise()

    def _initialise(self) -> None:
        """Weights ~ N(0, 2 / inputs), as in the authors' code; smaller ones delay gates and second layers."""
        count, latent = self.dimensions.num_items, self.options.latent_size
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                _he_normal(layer.weight, layer.in_features)
            elif isinstance(layer, BagInput):
                _he_normal(layer.table, count)
        if self.options.hierarchical:  # one layer over (x, z2)
            _he_normal(self.input1.table, count + latent)
            _he_normal(self.input1_z2.weight, count + latent)
        if self.options.prior == "vamp":
            nn.init.normal_(self.pseudo, PSEUDO_INPUT_MEAN, PSEUDO_INPUT_STD)

    def upper(self, items: Tensor, weights: Tensor) -> Gaussian:
        """q(z2|x)."""
        return self._upper(self.input2(items, weights))

    def _upper(self, x: Tensor) -> Gaussian:
        code: Gaussian = self.q_z2(self.hidden2(activate(x, self.options.gated)))
        return code

    def lower(self, items: Tensor, weights: Tensor, z2: Tensor) -> Gaussian:
        """q(z1|x, z2)."""
        x = activate(self.input1(items, weights) + self.input1_z2(z2), self.options.gated)
        code: Gaussian = self.q_z1(self.hidden1(x))
        return code

    def pseudo_posteriors(self, generator: torch.Generator | None) -> Gaussian:
        """q(z2|u_k) of the pseudo-inputs, encoded like any input: [C, K]."""
        rows = F.hardtanh(self.pseudo, 0.0, 1.0)
        norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-12)
        if generator is not None:
            rows = drop(rows, self.options.dropout, generator)
        return self._upper(self.input2.dense(rows) / norms + self.input2.bias)  # a division of [C, H], not of [C, V]

    def kl_upper(self, code: Gaussian, z2: Tensor, generator: torch.Generator | None) -> Tensor:
        """KL of q(z2|x) from the prior: [B]; exact for N(0, I), at the draw z2 for the VampPrior."""
        if self.options.prior == "standard":
            return kl_to_standard_normal(code.mu, code.log_variance)
        prior = self.pseudo_posteriors(generator)
        own = log_normal(z2, code.mu, code.log_variance).sum(1)
        return own - log_mixture(z2, prior.mu, prior.log_variance)

    def encode(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        """The codes [B, K] or [B, 2 K] that the decoder reads, and their KL [B] (None without a generator)."""
        weights = corrupted(cast(Tensor, batch.weights), self.options.dropout, generator)
        upper = self.upper(batch.items, weights)
        z2 = upper.draw(generator)
        kl = None if generator is None else self.kl_upper(upper, z2, generator)
        if not self.options.hierarchical:
            return z2, kl
        lower = self.lower(batch.items, weights, z2)
        if kl is not None:
            prior: Gaussian = self.p_z1(self.prior_hidden(z2))
            kl = kl + kl_between_normals(lower.mu, lower.log_variance, prior.mu, prior.log_variance)
        return torch.cat([lower.draw(generator), z2], dim=1), kl

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        codes, kl_of_each = self.encode(batch, generator)
        hidden = self.decoder(codes)
        targets, weights = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)
        if self.options.likelihood == "binary":
            error = bernoulli_loss(self.output(hidden), targets, weights).mean()
        else:
            share = weights / len(batch.users)
            error = softmax_cross_entropy(hidden, self.output.weight, self.output.bias, targets, share)
        kl = cast(Tensor, kl_of_each).mean()
        return error + self.beta(step) * kl, {"reconstruction": error.detach(), "kl": kl.detach()}

    def beta(self, step: int) -> float:
        """The weight of the KL term: it grows evenly over warmup_epochs and stays at max_beta."""
        warmup_steps = round(self.options.warmup_epochs * self.dimensions.steps_per_epoch)
        return self.options.max_beta * linear_anneal(step, 1.0, warmup_steps)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        codes, _ = self.encode(batch, None)
        return pick(self.output(self.decoder(codes)), candidates)
