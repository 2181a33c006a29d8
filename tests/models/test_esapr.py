"""ESAPR against a plain NumPy computation in float64, and what its options do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from numpy.typing import NDArray

from dataloaders import DATALOADERS, Batch, Dataloader
from models.base import Dimensions, Stage
from models.layers.dropout import drop
from models.vae import VAE

ITEMS, LENGTH = 25, 8
Array = NDArray[np.float64]


def loader(repeats: bool = True, **options: Any) -> Dataloader:
    kind = DATALOADERS["vae"]
    data = sequence_data(random_histories(7, 12, ITEMS, 14, repeats), num_items=ITEMS)
    return kind(kind.Options.model_validate({"max_len": LENGTH, "train_window": 2, **options}), leave_one_out(data))


def vae(pad_counts: bool = False, **options: Any) -> VAE:
    torch.manual_seed(3)
    given = {"hidden_layers": (10, 6), "latent_size": 4, "total_anneal_steps": 100, **options}
    model = VAE(VAE.Options.model_validate(given), Dimensions(ITEMS, 12, LENGTH, pad_counts))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)  # so that biases matter
    return model.double()


def training_batch(made: Dataloader) -> Batch:
    batch = made.training_batch(made.windows, torch.Generator().manual_seed(0))
    assert batch.weights is not None and batch.target_weights is not None and batch.targets is not None
    assert batch.position_weights is not None
    return Batch(
        batch.users,
        batch.items,
        batch.weights.double(),
        batch.targets,
        batch.target_weights.double(),
        position_weights=batch.position_weights.double(),
    )


class Plain:
    """The paper's formulas on dense rows."""

    def __init__(self, model: VAE) -> None:
        self.p = {name: t.detach().numpy() for name, t in model.state_dict().items()}
        self.options = model.options

    def dense(self, batch: Batch) -> Array:
        x = np.zeros((len(batch.users), ITEMS + 1))
        assert batch.weights is not None
        for row, (items, weights) in enumerate(zip(batch.items.tolist(), batch.weights.tolist(), strict=True)):
            for item, weight in zip(items, weights, strict=True):
                x[row, item] += weight
        return x

    def encode(self, x: Array) -> tuple[Array, Array]:
        h = x @ self.p["input_table"] + self.p["input_bias"]
        for layer in range(len(self.options.hidden_layers)):
            h = np.maximum(h, 0) @ self.p[f"encoder.{layer}.weight"].T + self.p[f"encoder.{layer}.bias"]
        half = self.options.latent_size
        return h[:, :half], h[:, half:]

    def log_softmax(self, z: Array, mask_pad: bool = True) -> Array:
        logits = self.logits(z)
        if mask_pad:
            logits[:, 0] = -np.inf
        logits -= logits.max(1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def logits(self, z: Array) -> Array:
        for layer in range(len(self.options.hidden_layers)):
            z = z @ self.p[f"decoder.{layer}.weight"].T + self.p[f"decoder.{layer}.bias"]
            if self.options.decoder_activation == "relu":
                z = np.maximum(z, 0)
        return z @ self.p["output.weight"].T + self.p["output.bias"]


def normalized(x: Array) -> Array:
    return x / np.maximum(np.sqrt((x**2).sum(1, keepdims=True)), 1e-12)


@pytest.mark.parametrize("recover_len", [None, 8, 3, 1])
@pytest.mark.parametrize("scale_over", ["items", "positions", None])
@pytest.mark.parametrize("decoder_activation", ["relu", "none"])
@pytest.mark.parametrize("count_padding", [False, True])
def test_the_loss_equals_the_papers(
    recover_len: int | None, scale_over: str | None, decoder_activation: str, count_padding: bool
) -> None:
    made = loader(count_padding=count_padding, weight_type="exp")
    scaling = {"scaled_loss": False} if scale_over is None else {"scale_over": scale_over}
    model = vae(count_padding, decoder_activation=decoder_activation, dropout=0.5, **scaling)
    model.begin_stage(Stage("a stage", recover_len))
    batch, plain = training_batch(made), Plain(model)
    step = 13
    loss, parts = model.loss(batch, step, torch.Generator().manual_seed(4))

    draws = torch.Generator().manual_seed(4)
    assert batch.weights is not None and batch.targets is not None and batch.target_weights is not None
    kept = drop(torch.ones_like(batch.weights), 0.5, draws) > 0
    epsilon = torch.randn(len(batch.users), 4, generator=draws, dtype=torch.float64).numpy()
    x = normalized(plain.dense(batch))
    mask = np.zeros_like(x)
    for row, items in enumerate(batch.items.tolist()):
        for place, item in enumerate(items):
            if batch.weights[row, place] != 0:
                mask[row, item] = kept[row, place]
    mu, log_variance = plain.encode(x * mask / 0.5)
    log_p = plain.log_softmax(mu + epsilon * np.exp(log_variance / 2), mask_pad=not count_padding)
    total = 0.0
    assert batch.position_weights is not None
    positions = batch.position_weights.tolist()
    for row, (items, weights) in enumerate(zip(batch.targets.tolist(), batch.target_weights.tolist(), strict=True)):
        last = recover_len or LENGTH
        own = -sum(w * log_p[row, i] for i, w in list(zip(items, weights, strict=True))[-last:] if w > 0)
        summed = positions if scale_over == "positions" else weights
        total += own * (sum(summed) / sum(summed[-last:]) if scale_over else 1)
    cross_entropy = total / len(batch.users)
    kl = 0.5 * (mu**2 + np.exp(log_variance) - 1 - log_variance).sum(1).mean()
    assert parts["cross_entropy"].item() == pytest.approx(cross_entropy, rel=1e-10)
    assert parts["kl"].item() == pytest.approx(kl, rel=1e-10)
    assert loss.item() == pytest.approx(cross_entropy + min(0.2, step / 100) * kl, rel=1e-10)


@pytest.mark.parametrize("decoder_activation", ["relu", "none"])
def test_the_scores_are_the_logits_of_the_mean_code(decoder_activation: str) -> None:
    made, model = loader(), vae(decoder_activation=decoder_activation)
    plain = Plain(model)
    for batch in made.evaluation(made.split.test, 100):
        inputs = batch.inputs
        assert inputs.weights is not None
        given = Batch(inputs.users, inputs.items, inputs.weights.double())
        got = model.eval().scores(given).detach().numpy()
        expected = plain.logits(plain.encode(normalized(plain.dense(given)))[0])
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("normalize_type", ["f", "batch"])
def test_all_parameters_learn(normalize_type: str) -> None:
    model = vae(normalize_type=normalize_type)
    loss, _ = model.loss(training_batch(loader()), 50, torch.Generator().manual_seed(0))
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_batch_normalization_equals_that_of_dense_rows() -> None:
    """(x - mean) / sqrt(variance + 1e-5) of each item over the batch; in evaluation, with running statistics."""
    model, batch = vae(normalize_type="batch", dropout=0.0), training_batch(loader())
    plain = Plain(model)
    x = plain.dense(batch)
    assert model.batch_norm is not None and batch.weights is not None
    mu, log_variance = model.encode(batch.items, batch.weights, torch.Generator())
    scale, shift = plain.p["batch_norm.weight"], plain.p["batch_norm.bias"]
    normed = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * scale + shift
    for got, expected in zip((mu, log_variance), plain.encode(normed), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    mean, variance = 0.1 * x.mean(0), 0.9 + 0.1 * x.var(0, ddof=1)  # torch's momentum of .1, from 0 and 1
    scores = model.eval().scores(Batch(batch.users, batch.items, batch.weights)).detach().numpy()
    normed = (x - mean) / np.sqrt(variance + 1e-5) * scale + shift
    np.testing.assert_allclose(scores, plain.logits(plain.encode(normed)[0]), rtol=1e-9)


def test_batch_normalization_takes_a_batch_of_one() -> None:
    model, batch = vae(normalize_type="batch"), training_batch(loader())
    assert model.batch_norm is not None
    model.loss(batch, 0, torch.Generator().manual_seed(0))
    means = model.batch_norm.running_mean.clone()
    assert batch.weights is not None and batch.targets is not None and batch.target_weights is not None
    one = Batch(batch.users[:1], batch.items[:1], batch.weights[:1], batch.targets[:1], batch.target_weights[:1])
    loss, _ = model.loss(one, 0, torch.Generator().manual_seed(0))
    assert torch.isfinite(loss) and torch.equal(model.batch_norm.running_mean, means)


def test_without_activation_the_decoder_is_affine() -> None:
    one, other = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def bend(activation: str) -> float:
        model = vae(decoder_activation=activation)
        halfway = model.output(model.decode((one + other) / 2))
        between = (model.output(model.decode(one)) + model.output(model.decode(other))) / 2
        return float((halfway - between).detach().abs().max())

    assert bend("none") < 1e-12
    assert bend("relu") > 1e-3


def test_a_stage_scales_the_dropout() -> None:
    """With a scale of 0 nothing is dropped: the loss is that of a model without dropout."""
    batch = training_batch(loader())

    def loss(dropout: float, scale: float) -> float:
        model = vae(dropout=dropout)
        model.begin_stage(Stage("s", None, scale))
        return float(model.loss(batch, 0, torch.Generator().manual_seed(2))[0])

    assert loss(0.6, 0.0) == loss(0.0, 1.0)
    assert loss(0.6, 0.5) == loss(0.3, 1.0)
    assert loss(0.6, 1.0) != loss(0.3, 1.0)


def test_evaluation_is_deterministic() -> None:
    made, model = loader(), vae(dropout=0.9).eval()
    (batch,) = made.evaluation(made.split.test, 100)
    assert batch.inputs.weights is not None
    given = Batch(batch.inputs.users, batch.inputs.items, batch.inputs.weights.double())
    before = torch.get_rng_state()
    assert torch.equal(model.scores(given), model.scores(given))
    assert torch.equal(torch.get_rng_state(), before)


def test_count_padding_makes_pad_an_item() -> None:
    """With count_padding PAD can be a target: its logit counts, and learns."""
    made = loader(count_padding=True)
    model = vae(pad_counts=True)
    loss, _ = model.loss(training_batch(made), 0, torch.Generator().manual_seed(0))
    loss.backward()  # type: ignore[no-untyped-call]
    assert model.output.bias.grad is not None and model.output.bias.grad[0] != 0
    plain = vae()
    loss, _ = plain.loss(training_batch(loader()), 0, torch.Generator().manual_seed(0))
    loss.backward()  # type: ignore[no-untyped-call]
    assert plain.output.bias.grad is not None and plain.output.bias.grad[0] == 0
    assert plain.input_table.grad is not None and not plain.input_table.grad[0].any()


def test_parameters_start_with_glorot_initialisation() -> None:
    torch.manual_seed(0)
    model = VAE(VAE.Options(hidden_layers=(300,), latent_size=100), Dimensions(799, 10, 8))
    for parameter in (model.input_table, model.output.weight):
        assert parameter.std().item() == pytest.approx((2 / sum(parameter.shape)) ** 0.5, rel=0.02)
    assert 0 < model.output.bias.abs().max() < 0.01
