"""Noise, annealing, divergences and priors of the variational autoencoders."""

import math

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from dataloaders import DATALOADERS, Batch
from models import MODELS, Dimensions, Model
from models.layers.bag_input import corrupted
from models.losses.bernoulli import bernoulli_loss
from models.losses.priors import kl_between_normals, log_mixture, log_normal
from models.losses.variational import kl_to_standard_normal, linear_anneal, reparameterize

ITEMS = 30


def small(code: str, steps_per_epoch: int = 4, **options: object) -> tuple[Model, Batch]:
    """A small model and a training batch for it."""
    torch.manual_seed(0)
    split = leave_one_out(sequence_data(random_histories(2, 24, ITEMS, 15), ITEMS))
    loader = DATALOADERS["bag"](DATALOADERS["bag"].Options(), split)
    batch = next(loader.epoch(torch.Generator().manual_seed(0)))
    kind = MODELS[code]
    return kind(kind.Options(**options), Dimensions(ITEMS, 24, 0, False, steps_per_epoch)), batch


def test_epsilon_has_unit_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    mu = torch.full((200_000,), 3.0)
    log_variance = torch.full((200_000,), math.log(4.0))
    epsilon = (reparameterize(mu, log_variance, generator) - 3.0) / 2.0
    assert abs(float(epsilon.mean())) < 0.01
    assert abs(float(epsilon.var()) - 1.0) < 0.015


@given(st.integers(0, 10**7), st.floats(0, 2), st.integers(0, 10**6))
def test_annealing_never_passes_its_cap_and_never_falls(step: int, cap: float, total: int) -> None:
    value = linear_anneal(step, cap, total)
    assert 0 <= value <= cap
    assert linear_anneal(step + 1, cap, total) >= value


def test_hvamps_warm_up_counts_epochs() -> None:
    model, _ = small("hvamp", steps_per_epoch=7, warmup_epochs=10, max_beta=0.3, pseudo_inputs=3, hidden_units=4)
    assert model.beta(0) == 0
    assert model.beta(35) == pytest.approx(0.15)
    assert [model.beta(step) for step in (70, 71, 10**6)] == [0.3] * 3


@settings(max_examples=50)
@given(*[st.floats(-3, 3)] * 4)
def test_divergences_are_not_negative_and_0_for_equals(a: float, b: float, c: float, d: float) -> None:
    mu, log_variance, other_mu, other = (torch.tensor([[x]], dtype=torch.float64) for x in (a, b, c, d))
    kl = kl_between_normals(mu, log_variance, other_mu, other)
    assert float(kl) >= -1e-12
    assert float(kl_between_normals(mu, log_variance, mu, log_variance)) == pytest.approx(0, abs=1e-12)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    assert float(kl_to_standard_normal(mu, log_variance)) == pytest.approx(
        float(kl_between_normals(mu, log_variance, zero, zero))
    )


def test_kl_of_a_mixture_prior_equals_its_integral() -> None:
    means, log_variances = np.array([-1.5, 0.3, 2.0]), np.array([-0.5, 0.4, -1.2])
    mu, log_variance = 0.4, -0.8
    prior = torch.tensor(means)[:, None], torch.tensor(log_variances)[:, None]

    def integrand(z: float) -> float:
        q = stats.norm.pdf(z, mu, math.exp(log_variance / 2))
        p = np.mean(stats.norm.pdf(z, means, np.exp(log_variances / 2)))
        return q * (math.log(q) - math.log(p))

    expected = integrate.quad(integrand, -8, 8, limit=200)[0]
    # the same expectation with the model's functions, on a fine grid
    grid = torch.linspace(-8, 8, 20_001, dtype=torch.float64)[:, None]
    own = log_normal(grid, torch.tensor(mu), torch.tensor(log_variance)).sum(1)
    difference = own - log_mixture(grid, *prior)
    measured = float((own.exp() * difference).sum() * (16 / 20_000))
    assert measured == pytest.approx(expected, abs=1e-6)
    # and by draws, as in training
    generator = torch.Generator().manual_seed(0)
    mu_of_each = torch.full((200_000, 1), mu, dtype=torch.float64)
    z = reparameterize(mu_of_each, torch.full_like(mu_of_each, log_variance), generator)
    drawn = (log_normal(z, torch.tensor(mu), torch.tensor(log_variance)).sum(1) - log_mixture(z, *prior)).mean()
    assert float(drawn) == pytest.approx(expected, abs=0.01)


def test_log_mixture_equals_the_plain_formula() -> None:
    random = torch.Generator().manual_seed(1)
    z, mu = (torch.randn(n, 6, generator=random, dtype=torch.float64) for n in (5, 7))
    log_variance = torch.randn(7, 6, generator=random, dtype=torch.float64)
    for scale in (1.0, 100.0):  # densities far below the smallest float
        plain = log_normal(scale * z[:, None], mu, log_variance).sum(2).logsumexp(1) - math.log(7)
        torch.testing.assert_close(log_mixture(scale * z, mu, log_variance), plain)
    one = log_mixture(z, mu[:1], log_variance[:1])
    torch.testing.assert_close(one, log_normal(z, mu[0], log_variance[0]).sum(1))


def test_the_priors_gradient_reaches_the_pseudo_inputs() -> None:
    model, batch = small("hvamp", pseudo_inputs=5, hidden_units=8, latent_size=4, warmup_epochs=0)
    loss, parts = model.loss(batch, 10, torch.Generator().manual_seed(0))
    loss.backward()
    assert parts["kl"] > 0
    assert (model.pseudo.grad.abs().sum(1) > 0).all()


def test_a_pseudo_input_is_encoded_like_a_users_items() -> None:
    model, _ = small("hvamp", pseudo_inputs=2, hidden_units=8, latent_size=4)
    with torch.no_grad():
        model.pseudo.fill_(-1.0)  # below 0 counts as 0
        model.pseudo[0, [1, 4]] = torch.tensor([0.5, 3.0])  # items 2 and 5; above 1 counts as 1
        model.pseudo[1, 0] = 0.25
        own = model.pseudo_posteriors(None)
        weights = torch.tensor([[0.5, 1.0], [0.25, 0.0]])
        users = model.upper(torch.tensor([[2, 5], [1, 0]]), weights / weights.norm(dim=1, keepdim=True))
    torch.testing.assert_close(own.mu, users.mu)
    torch.testing.assert_close(own.log_variance, users.log_variance)


SWITCHES = [
    {"prior": prior, "hierarchical": hierarchical, "gated": gated, "num_layers": layers, "likelihood": likelihood}
    for prior in ("standard", "vamp")
    for hierarchical in (False, True)
    for gated in (False, True)
    for layers, likelihood in ((1, "multinomial"), (3, "binary"))
]


@pytest.mark.parametrize("switches", SWITCHES, ids=lambda s: "-".join(map(str, s.values())))
def test_hvamp_learns_with_every_switch(switches: dict[str, object]) -> None:
    model, batch = small("hvamp", pseudo_inputs=4, hidden_units=16, latent_size=6, dropout=0.0, **switches)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(0)
    errors = []
    for step in range(30):
        loss, parts = model.loss(batch, step, generator)
        optimizer.zero_grad()
        loss.backward()
        unused = [name for name, p in model.named_parameters() if p.grad is None]
        assert unused == []
        optimizer.step()
        errors.append(float(parts["reconstruction"]))
    assert np.mean(errors[-5:]) < 0.95 * errors[0]
    assert hasattr(model, "pseudo") == (switches["prior"] == "vamp")


def test_a_flat_hvamp_with_standard_prior_is_a_mult_vae() -> None:
    """With the same widths and parameters, but for the bound on log variances."""
    plain, batch = small("hvamp", prior="standard", hierarchical=False, gated=False, hidden_units=16, latent_size=6)
    mult, _ = small("mult_vae", hidden_layers=(16,), latent_size=6)
    names = {
        "input.table": "input2.table",
        "input.bias": "input2.bias",
        "encoder.1.weight": "q_z2.both.weight",
        "encoder.1.bias": "q_z2.both.bias",
        "decoder.0.weight": "decoder.layers.0.weight",
        "decoder.0.bias": "decoder.layers.0.bias",
        "output.weight": "output.weight",
        "output.bias": "output.bias",
    }
    weights = plain.state_dict()
    assert set(weights) == set(names.values())
    mult.load_state_dict({name: weights[other] for name, other in names.items()})
    torch.testing.assert_close(plain.scores(batch), mult.scores(batch))


def test_recvae_alternates_and_keeps_the_earlier_posterior() -> None:
    model, batch = small("recvae", steps_per_epoch=2, hidden_units=8, latent_size=4)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(0)
    learned = []
    for step in range(16):  # two rounds of 3 + 1 epochs of 2 steps
        start = {name: p.detach().clone() for name, p in model.named_parameters()}
        loss, _ = model.loss(batch, step, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        changed = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, start[name])}
        learned.append(changed)
    encoder, decoder = {"encoder"}, {"output"}
    assert learned[:6] == [encoder] * 6 and learned[8:14] == [encoder] * 6
    assert learned[6] == {"before", "output"} and learned[14] == {"before", "output"}
    assert learned[7] == decoder and learned[15] == decoder
    for own, before in zip(model.encoder.parameters(), model.before.parameters(), strict=True):
        torch.testing.assert_close(own, before)  # since the turn that has just started


def test_input_dropout_keeps_the_mean_and_the_norm_is_one() -> None:
    weights = torch.zeros(50, 400)
    weights[:, :100] = 1
    plain = corrupted(weights, 0.5, None)
    torch.testing.assert_close(plain.norm(dim=1), torch.ones(50))
    dropped = corrupted(weights, 0.5, torch.Generator().manual_seed(0))
    assert dropped.unique().tolist() == [0.0, pytest.approx(0.2)]
    assert float(dropped.sum() / plain.sum()) == pytest.approx(1, abs=0.05)
    assert (corrupted(torch.zeros(2, 3), 0.5, torch.Generator()) == 0).all()


def test_bernoulli_loss_is_binary_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 8, generator=generator)
    items = torch.tensor([[0, 2, 5], [1, 7, 3], [0, 0, 4]])
    weights = (items > 0).float()
    dense = torch.zeros(3, 8).scatter_(1, items, 1.0)[:, 1:]
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], dense, reduction="none")
    torch.testing.assert_close(bernoulli_loss(logits, items, weights), plain.sum(1))
    torch.testing.assert_close(bernoulli_loss(logits, items, 3 * weights), plain.sum(1))  # taken three times: taken
    counted = (torch.rand(3, 8, generator=generator) < 0.4).float().scatter_(1, items, 1.0)
    torch.testing.assert_close(bernoulli_loss(logits, items, weights, counted), (plain * counted[:, 1:]).sum(1))


def test_cdae_folds_unknown_users_in_with_the_prior_mean() -> None:
    model, batch = small("cdae", hidden_units=6)
    some = Batch(*(getattr(batch, f)[:10] for f in ("users", "items", "weights", "targets", "target_weights")))
    optimizer = torch.optim.Adam(model.parameters(), 0.01, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        loss, _ = model.loss(some, step, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained = some.users.tolist()
    others = sorted(set(range(24)) - set(trained))
    assert (model.user[trained].abs().sum(1) > 0).all()
    assert (model.user[others] == 0).all()


def test_cdae_draws_about_the_requested_negatives() -> None:
    model, batch = small("cdae", negatives_per_item=2.0)
    generator = torch.Generator().manual_seed(0)
    taken = float((batch.weights > 0).sum())
    drawn = [
        float(model._counted((len(batch.users), ITEMS + 1), batch.targets, batch.weights, generator)[:, 1:].sum())
        for _ in range(200)
    ]
    rows = (batch.weights > 0).sum(1)
    expected = taken + float(torch.minimum(2 * rows, ITEMS - rows).sum())
    assert np.mean(drawn) == pytest.approx(expected, rel=0.03)
