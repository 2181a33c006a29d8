"""ESAPR: a variational autoencoder over a weighted bag of recent items, trained to reconstruct a window's last ones.

The input is a user's last items, each with a weight that falls with its distance from the target; the loss is a
weighted cross-entropy over the last `recover_len` positions of the window (target included), which the trainer's stages
shorten from all to one. Without transfer and with constant weights it is Mult-VAE (Liang et al. 2018) on windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from common.schema import Options
from models.base import Dimensions, Model, pick
from models.layers.batch_norm import BatchNorm
from models.layers.dropout import drop
from models.layers.weighted_bag import densify, weighted_bag
from models.losses.softmax import softmax_cross_entropy
from models.losses.variational import kl_to_standard_normal, linear_anneal, reparameterize

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class VAEOptions(Options):
    """Options of model `vae`."""

    renamed: ClassVar[dict[str, str]] = {"encoder_hidden_layer": "hidden_layers", "encode_len": "latent_size"}

    hidden_layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (512,), description="widths of the encoder's hidden layers; the decoder has them in reverse"
    )
    latent_size: int = Field(128, ge=1, description="width of the latent code z")
    dropout: float = Field(0.5, ge=0, le=1, description="share of the input's entries dropped in training")
    normalize_type: Literal["f", "batch"] = Field(
        "f", description="input normalisation: f = to L2 norm 1, batch = batch normalisation (dense, slower)"
    )
    decoder_activation: Literal["relu", "none"] = Field(
        "relu", description="activation of the decoder's hidden layers; none = as released, an affine decoder"
    )
    total_anneal_steps: int = Field(
        262144, ge=0, description="steps after which the KL weight would reach 1 if anneal_cap did not stop it"
    )
    anneal_cap: float = Field(0.2, ge=0, description="largest weight of the KL term")
    scaled_loss: bool = Field(
        True, description="scale a window's loss by sum(all weights) / sum(weights of the last recover_len)"
    )
    scale_over: Literal["items", "positions"] = Field(
        "items",
        description="positions whose weights scaled_loss sums: items = those with an item; positions = all of them, "
        "with padding, so that every window's target counts alike",
    )


class VAE(Model):
    """x [B, V] -> hidden (ReLU) -> (mu, log variance) [B, K] each -> z [B, K] -> hidden -> logits [B, V]."""

    code = "vae"
    Options = VAEOptions
    dataloader_code = "vae"
    trainer_code = "vae"
    has_stages = True
    options: VAEOptions

    @classmethod
    def named(cls, sections: Mapping[str, Any]) -> str:
        """ESAPR, or the variant with this combination of weights and transfer."""
        weights = getattr(sections.get("dataloader"), "weight_type", None)
        transfer = getattr(sections.get("trainer"), "train_transfer", None)
        names = {("exp_stair", True): "ESAPR", ("constant", True): "ESAPR-tr", ("constant", False): "ESAPR-net"}
        return names.get((str(weights), bool(transfer)), "ESAPR-variant")

    def __init__(self, options: VAEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        widths = (size, *options.hidden_layers, 2 * options.latent_size)
        self.input_table = nn.Parameter(torch.empty(size, widths[1]))
        self.input_bias = nn.Parameter(torch.empty(widths[1]))
        self.encoder = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths[1:]))
        widths = (options.latent_size, *reversed(options.hidden_layers))
        self.decoder = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.output = nn.Linear(widths[-1], size)
        self.batch_norm = BatchNorm(size) if options.normalize_type == "batch" else None
        for name, parameter in self.named_parameters():
            if name.startswith("batch_norm"):
                continue
            if parameter.dim() == 2:  # Glorot: std sqrt(2 / (fan in + fan out))
                nn.init.xavier_normal_(parameter)
            else:
                nn.init.normal_(parameter, 0.0, 0.001)

    def encode(self, items: Tensor, weights: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """mu and log variance of the latent code, [B, K] each; with a generator the input is dropped out."""
        dropout = self.options.dropout * self.stage.dropout_scale if generator is not None else 0.0
        if self.batch_norm is None:
            weights = F.normalize(weights, dim=1)
            if generator is not None:
                weights = drop(weights, dropout, generator)
            x = weighted_bag(self.input_table, items, weights) + self.input_bias
        else:
            dense = self.batch_norm(densify(items, weights, self.dimensions.num_items + 1))
            if generator is not None:
                dense = drop(dense, dropout, generator)
            x = dense @ self.input_table + self.input_bias
        for layer in self.encoder:
            x = layer(F.relu(x))
        mu, log_variance = x.chunk(2, dim=1)
        return mu, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """The decoder's last hidden layer, [B, H]; `output` makes logits of it."""
        for layer in self.decoder:
            z = layer(z)
            if self.options.decoder_activation == "relu":
                z = F.relu(z)
        return z

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted cross-entropy over the last `recover_len` positions + annealed KL, averaged over the batch."""
        mu, log_variance = self.encode(batch.items, cast(Tensor, batch.weights), generator)
        hidden = self.decode(reparameterize(mu, log_variance, generator))
        targets, weights = cast(Tensor, batch.targets), cast(Tensor, batch.target_weights)  # [B, L]
        recover = min(self.stage.recover_len or targets.shape[1], targets.shape[1])
        covered = weights[:, -recover:]
        if self.options.scaled_loss:
            whole = weights if self.options.scale_over == "items" else cast(Tensor, batch.position_weights)[None]
            covered = covered * (whole.sum(1) / whole[:, -recover:].sum(1))[:, None]
        cross_entropy = softmax_cross_entropy(
            hidden,
            self.output.weight,
            self.output.bias,
            targets[:, -recover:],
            covered / targets.shape[0],
            mask_pad=not self.dimensions.pad_counts,
        )
        kl = kl_to_standard_normal(mu, log_variance).mean()
        anneal = linear_anneal(step, self.options.anneal_cap, self.options.total_anneal_steps)
        parts = {"cross_entropy": cross_entropy.detach(), "kl": kl.detach()}
        return cross_entropy + anneal * kl, parts

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Logits of the mean code: [B, V + 1], or [B, C] of the candidates."""
        mu, _ = self.encode(batch.items, cast(Tensor, batch.weights), None)
        return pick(self.output(self.decode(mu)), candidates)
