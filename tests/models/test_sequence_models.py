"""Properties of every sequential model: causality, no effect of padding, finite values on unusual data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from helpers import random_histories
from helpers_sequential import CAUSAL, CLOZE, NUM_ITEMS, first_batch, make_loader, make_model, timed_split
from torch import Tensor

from common.errors import UserError
from common.sizes import round_up
from dataloaders import DATALOADERS, Batch
from models import MODELS
from models.layers.padding import align_left, pick_rows
from models.losses.sampled import binary_cross_entropy, gbce_beta, sampled_softmax
from models.next_item import NextItemModel
from runs.api import configure, resolve_words
from runs.experiment import make_loader as loader_of_run
from trainers.optimization import add_gradients

ALL = [*CAUSAL, *CLOZE, ("marank", {})]


def padded(batch: Batch, columns: int) -> Batch:
    """The batch with more padding on the left."""
    wider = {}
    for field in dataclasses.fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor) and value.dim() >= 2 and value.shape[1] == batch.items.shape[1]:
            zeros = torch.zeros(value.shape[0], columns, *value.shape[2:], dtype=value.dtype)
            wider[field.name] = torch.cat([zeros, value], 1)
    return dataclasses.replace(batch, **wider)


def evaluation_inputs(code: str, max_len: int = 6) -> tuple[Any, Batch]:
    """A loader whose batches leave room for padding, and the inputs of its test users."""
    loader = make_loader(MODELS[code].dataloader_code, timed_split(), max_len=max_len)
    heldout = loader.split.test
    return loader, loader.inputs(heldout.users, heldout.input_start, heldout.input_end)


@pytest.mark.parametrize("code, options", CAUSAL)
def test_causal_models_do_not_see_later_items(code: str, options: dict[str, Any]) -> None:
    loader = make_loader("sas", timed_split(), train_negative_sample_size=0)
    model = make_model(code, loader, options)
    assert isinstance(model, NextItemModel)
    torch.manual_seed(1)
    items = torch.randint(1, NUM_ITEMS, (4, 8))
    lengths = torch.full((4,), 8)
    times = torch.randint(0, 10**6, (4, 9)).sort(1).values
    before = model.states(items, lengths, times[:, :-1], times[:, 1:])
    changed, later = items.clone(), times.clone()
    changed[:, 5:] = 1 + changed[:, 5:] % NUM_ITEMS
    later[:, 6:] += 12345
    after = model.states(changed, lengths, later[:, :-1], later[:, 1:])
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5], after[:, 5])


@pytest.mark.parametrize("code", ["sas", "esas", "duorec", "fmlp", "bsarec", "hstu", "fuxi", "tisas"])
@pytest.mark.parametrize("origin", ["start", "end"])
def test_positions_from_the_start_leak_no_sequence_length(code: str, origin: str) -> None:
    model = make_model(code, make_loader("sas", timed_split()), {"positions_from": origin})
    assert isinstance(model, NextItemModel)
    torch.manual_seed(1)
    items, times = torch.randint(1, NUM_ITEMS, (4, 8)), torch.randint(0, 10**6, (4, 9)).sort(1).values
    whole = model.states(items, torch.full((4,), 8), times[:, :-1], times[:, 1:])
    started = model.states(items[:, :5], torch.full((4,), 5), times[:, :5], times[:, 1:6])
    assert torch.allclose(started, whole[:, :5], atol=1e-6) == (origin == "start")


@pytest.mark.parametrize("code, options", ALL)
def test_padding_changes_neither_scores_nor_loss(code: str, options: dict[str, Any]) -> None:
    loader, inputs = evaluation_inputs(code)
    loader_long = make_loader(MODELS[code].dataloader_code, timed_split(), max_len=12)
    model = make_model(code, loader_long, options)
    torch.testing.assert_close(model.scores(inputs), model.scores(padded(inputs, 4)))
    if code != "marank":
        batch = first_batch(loader)
        generator = torch.Generator()
        torch.testing.assert_close(model.loss(batch, 0, generator)[0], model.loss(padded(batch, 4), 0, generator)[0])


@pytest.mark.parametrize("code, options", ALL)
def test_a_user_alone_scores_as_in_a_batch(code: str, options: dict[str, Any]) -> None:
    loader, inputs = evaluation_inputs(code)
    model = make_model(code, loader, options)
    together = model.scores(inputs)
    for row in range(5):
        one = {f.name: getattr(inputs, f.name) for f in dataclasses.fields(inputs)}
        alone = dataclasses.replace(inputs, **{n: v[row : row + 1] for n, v in one.items() if v is not None})
        torch.testing.assert_close(model.scores(alone)[0], together[row])


@pytest.mark.parametrize("code, options", ALL)
def test_unusual_data_gives_finite_losses_and_gradients(code: str, options: dict[str, Any]) -> None:
    histories = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [3, 3, 3, 3, 3], [9]]  # users of 1 to 5 items
    loader = make_loader(MODELS[code].dataloader_code, timed_split(histories, same_time=True), train_batch_size=1)
    model = make_model(code, loader, options).train()
    generator = torch.Generator().manual_seed(0)
    for batch in loader.epoch(generator):
        assert len(batch.users) == 1
        loss = model.loss(batch, 0, generator)[0]
        loss.backward()
        assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    for evaluated in loader.evaluation(loader.split.test, 1):
        assert model.scores(evaluated.inputs).isfinite().all()


@pytest.mark.parametrize("code, options", ALL)
def test_an_empty_history_gives_finite_scores(code: str, options: dict[str, Any]) -> None:
    loader, inputs = evaluation_inputs(code)
    model = make_model(code, loader, options)
    items = inputs.items.clone()
    items[0] = 0
    scores = model.scores(dataclasses.replace(inputs, items=items))
    assert scores.isfinite().all()
    torch.testing.assert_close(scores[1:], model.scores(inputs)[1:])


@pytest.mark.parametrize("code, options", ALL)
def test_candidates_score_as_among_all_items(code: str, options: dict[str, Any]) -> None:
    loader, inputs = evaluation_inputs(code)
    model = make_model(code, loader, options)
    candidates = torch.randint(1, NUM_ITEMS + 1, (len(inputs.users), 7), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.scores(inputs, candidates), model.scores(inputs).gather(1, candidates))


@pytest.mark.parametrize("code", sorted({code for code, _ in ALL}))
def test_the_padding_row_stays_0_and_parameters_start_small(code: str) -> None:
    loader = make_loader(MODELS[code].dataloader_code, timed_split())
    kind = MODELS[code]
    torch.manual_seed(0)
    model = make_model(code, loader, {})
    fresh = kind(kind.Options(hidden_units=16), model.dimensions)
    assert all(p.isfinite().all() and p.abs().max() < 10 for p in fresh.parameters())
    optimizer = torch.optim.Adam(fresh.parameters())
    fresh.loss(first_batch(loader), 0, torch.Generator())[0].backward()
    optimizer.step()
    tables = [p for n, p in fresh.named_parameters() if n in ("items.weight", "context.weight", "lasting.weight")]
    assert tables and all((table[0] == 0).all() for table in tables)


@pytest.mark.parametrize(
    "code, options, needs",
    [
        ("sas", {}, set()),
        ("hstu", {}, set()),
        ("hstu", {"use_time": True}, {"timestamps"}),
        ("tisas", {}, {"timestamps"}),
        ("meantime", {}, {"timestamps"}),
        ("meantime", {"absolute_kernel_types": "p", "relative_kernel_types": ""}, set()),
        ("meantime", {"absolute_kernel_types": "p", "relative_kernel_types": "s"}, {"timestamps"}),
    ],
)
def test_only_models_that_use_time_require_it(code: str, options: dict[str, Any], needs: set[str]) -> None:
    kind = MODELS[code]
    assert kind.required(kind.Options(**options)) == needs


@pytest.mark.parametrize("positions", [1, 9, 16])
@pytest.mark.parametrize(
    "code, options, negatives",
    [
        *((code, options, 0) for code, options in [*CAUSAL, *CLOZE]),
        *(("sas", {"loss": loss}, 3) for loss in ("bce", "gbce", "sampled_ce")),
    ],
)
def test_parts_of_a_batch_have_the_gradient_of_the_whole(
    code: str, options: dict[str, Any], negatives: int, positions: int
) -> None:
    kind = MODELS[code].dataloader_code
    loader = make_loader(kind, timed_split(), **({"train_negative_sample_size": negatives} if kind == "sas" else {}))
    model, batch = make_model(code, loader, options), first_batch(loader)
    assert len(batch.split(positions)) > 1
    found = []
    for size in (None, positions):
        model.zero_grad()
        losses = add_gradients(model, batch, 0, torch.Generator(), size)
        found.append((losses["loss"], [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(found[1][0], found[0][0])
    for of_parts, of_whole in zip(found[1][1], found[0][1], strict=True):
        torch.testing.assert_close(of_parts, of_whole, rtol=1e-9, atol=1e-12)


def test_sizes_are_rounded_up_by_less_than_a_sixteenth() -> None:
    assert [round_up(n) for n in (0, 1, 31, 32, 33, 65, 200, 201, 4097)] == [0, 1, 31, 32, 34, 68, 200, 208, 4352]
    assert all(n <= round_up(n) < n * 17 / 16 for n in range(1, 5000))


@pytest.mark.parametrize("code, options", [("sas", {}), ("bert", {})])
def test_padding_rows_do_not_count(code: str, options: dict[str, Any]) -> None:
    histories = random_histories(3, 12, NUM_ITEMS, 40)
    loader = (
        make_loader(MODELS[code].dataloader_code, timed_split(histories), max_len=37, mask_prob=0.5)
        if code == "bert"
        else make_loader("sas", timed_split(histories), max_len=37, train_negative_sample_size=0)
    )
    model: Any = make_model(code, loader, options)
    batch = first_batch(loader)
    assert batch.targets is not None
    used = batch.targets > 0
    count = int(used.sum())
    assert round_up(count) > count > 32
    states = torch.randn(*used.shape, 5, dtype=torch.float64)
    rows, places, weights = pick_rows(states, used)
    assert len(rows) == round_up(count) and weights.tolist() == [1.0] * count + [0.0] * (len(rows) - count)
    torch.testing.assert_close(rows[:count], states[used])
    assert places[:count].tolist() == used.flatten().nonzero().squeeze(1).tolist()

    loss, _ = model.loss(batch, 0, torch.Generator())
    logits = per_position_logits(model, batch)[used]
    logits[:, 0] = -torch.inf
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, batch.targets[used]))


def per_position_logits(model: Any, batch: Batch) -> Tensor:
    """The scores of all items at every position of a left-padded training batch: [B, L, V + 1]."""
    if isinstance(model, NextItemModel):
        order, lengths = align_left(batch.items)
        hidden = model.states(batch.items.gather(1, order), lengths, None, None)
        moved = torch.zeros_like(hidden).scatter(1, order[:, :, None].expand_as(hidden), hidden)
        return moved @ model.items.weight.T
    assert batch.targets is not None
    hidden_item = (batch.targets > 0)[:, :, None]
    embedded = torch.where(hidden_item, model.hidden_item, model.items(batch.items))
    states = model.head(model.states(embedded, batch.items > 0, None))
    logits: Tensor = states @ model.items.weight.T + model.head.bias
    return logits


@pytest.mark.parametrize("code, options", [*CAUSAL, *CLOZE])
def test_scores_in_parts_are_those_of_the_whole(
    code: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader, batch = evaluation_inputs(code)
    model = make_model(code, loader, options)
    whole = model.scores_in_parts(batch)
    monkeypatch.setattr(type(model), "cpu_positions", 10)
    assert len(batch.split(10)) > 2
    torch.testing.assert_close(model.scores_in_parts(batch), whole)


def test_duorec_adds_its_terms_to_the_loss_of_sas() -> None:
    loader = make_loader("sas", timed_split(random_histories(3, 20, 6, 14)), train_negative_sample_size=0)
    options = {"dropout_weight": 0.3, "target_weight": 0.7, "contrast_positions": 9}
    model, plain = make_model("duorec", loader, options), make_model("sas", loader, {})
    plain.load_state_dict(model.state_dict())
    batch = first_batch(loader)
    loss, parts = model.loss(batch, 0, torch.Generator().manual_seed(0))
    expected = plain.loss(batch, 0, torch.Generator())[0] + 0.3 * parts["dropout_term"] + 0.7 * parts["target_term"]
    torch.testing.assert_close(loss, expected)
    assert parts["dropout_term"] > 0 and parts["target_term"] > 0


COSINES = {"item_bias": True, "normalize_logits": True, "temperature": 0.2}


def test_cosines_temperature_and_bias_make_the_logits() -> None:
    model = make_model("gru4rec", make_loader("sas", timed_split()), COSINES)
    assert isinstance(model, NextItemModel) and model.items.bias is not None
    hidden, rows = torch.randn(3, 16, dtype=torch.float64), model.items.weight[1:]
    cosines = torch.nn.functional.cosine_similarity(hidden[:, None], rows, dim=-1)
    torch.testing.assert_close(model.items.logits(hidden)[:, 1:], cosines / 0.2 + model.items.bias[1:])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("loss", ["ce", "sampled_ce", "bce"])
def test_losses_use_the_logits_that_rank(loss: str, shared: bool) -> None:
    negatives = 0 if loss == "ce" else 3
    loader = make_loader("sas", timed_split(), train_negative_sample_size=negatives, share_negatives=shared)
    model, batch = make_model("gru4rec", loader, {"loss": loss, **COSINES}), first_batch(loader)
    assert isinstance(model, NextItemModel) and batch.targets is not None
    order, lengths = align_left(batch.items)
    hidden = model.states(batch.items.gather(1, order), lengths, None, None)
    logits = model.items.logits(hidden.flatten(0, 1)).view(*hidden.shape[:2], -1)  # [B, L, V + 1]
    logits = torch.zeros_like(logits).scatter(1, order[:, :, None].expand_as(logits), logits)  # as the batch is padded
    used = batch.targets > 0
    positive = logits.gather(2, batch.targets[:, :, None])[used]  # [N, 1]
    if batch.negatives is None or batch.negative_log_q is None:
        logits[:, :, 0] = -torch.inf
        expected = torch.nn.functional.cross_entropy(logits[used], batch.targets[used])
    else:
        drawn, log_q = (x.expand(*used.shape, 3)[used] for x in (batch.negatives, batch.negative_log_q))
        wrong = logits[used].gather(1, drawn)
        plain = binary_cross_entropy(positive[:, 0], wrong)
        expected = (plain if loss == "bce" else sampled_softmax(positive[:, 0], wrong, log_q)).mean()
    torch.testing.assert_close(model.loss(batch, 0, torch.Generator())[0], expected)


@pytest.mark.parametrize("loss", ["bce", "gbce"])
def test_the_logit_offset_changes_losses_and_no_scores(loss: str) -> None:
    loader = make_loader("sas", timed_split(), train_negative_sample_size=3)
    plain = make_model("sas", loader, {"loss": loss})
    shifted = make_model("sas", loader, {"loss": loss, "logit_offset": -2.5})
    shifted.load_state_dict(plain.state_dict())
    batch = first_batch(loader)
    torch.testing.assert_close(shifted.scores(batch), plain.scores(batch))
    assert batch.targets is not None and batch.negatives is not None
    order, lengths = align_left(batch.items)
    targets = batch.targets.gather(1, order)
    negatives = batch.negatives.gather(1, order[:, :, None].expand_as(batch.negatives))
    assert isinstance(plain, NextItemModel)
    logits = plain.items.logits(plain.states(batch.items.gather(1, order), lengths, None, None))  # [B, L, V + 1]
    beta = 1.0 if loss == "bce" else gbce_beta(3, NUM_ITEMS, 0.75)
    terms = []
    for row, place in (targets > 0).nonzero().tolist():
        chance = torch.sigmoid(logits[row, place] - 2.5)
        wrong = negatives[row, place]
        terms.append(-(beta * chance[targets[row, place]].log() + (1 - chance[wrong[wrong > 0]]).log().sum()) / 4)
    torch.testing.assert_close(shifted.loss(batch, 0, torch.Generator())[0], torch.stack(terms).mean())


@pytest.mark.parametrize(
    ("code", "model", "dataloader", "said"),
    [
        ("sas", {"loss": "ce"}, {}, None),
        ("sas", {"loss": "gbce", "logit_offset": "auto"}, {"train_negative_sample_size": 256}, None),
        ("sas", {"loss": "bce"}, {}, "needs negatives"),
        ("sas", {"loss": "ce"}, {"share_negatives": True}, "uses no negatives"),
        ("sas", {"loss": "ce"}, {"train_negative_sampler_code": "popular"}, "uses no negatives"),
        ("sas", {"loss": "ce"}, {"train_negative_sample_size": 3}, "uses no negatives"),
        ("sas", {"loss": "sampled_ce", "logit_offset": -1.0}, {"train_negative_sample_size": 3}, "not with sampled_ce"),
        ("sas", {"loss": "ce", "logit_offset": "auto"}, {}, "loss bce and gbce, not with ce"),
        ("sas", {"loss": "bce", "gbce_t": 0.5}, {"train_negative_sample_size": 1}, "loss gbce, not with bce"),
        ("sas", {"loss": "sce"}, {"train_negative_sample_size": 3}, "uses no negatives"),
        ("sas", {"loss": "ce", "sce_bucket_items": 9}, {}, "loss sce, not with ce"),
        ("sas", {"loss": "ce"}, {"request_time": "last"}, "request_time last has no effect"),
        ("tisas", {}, {"request_time": "last"}, "request_time last has no effect"),
        ("hstu", {}, {"request_time": "last"}, "request_time last has no effect"),
        ("hstu", {"use_time": True}, {"request_time": "last"}, None),
        ("bert", {}, {"request_time": "last"}, "request_time last has no effect"),
        ("meantime", {}, {"request_time": "last"}, None),
        (
            "meantime",
            {"absolute_kernel_types": "p-p", "relative_kernel_types": ""},
            {"request_time": "last"},
            "request_time last has no effect",
        ),
    ],
)
def test_options_without_effect_are_refused(
    code: str, model: dict[str, Any], dataloader: dict[str, Any], said: str | None
) -> None:
    kind = MODELS[code]
    loader = DATALOADERS[kind.dataloader_code]
    model_options, loader_options = kind.Options(**model), loader.Options(**dataloader)
    conflict = kind.conflict({"model": model_options, "dataloader": loader_options})
    conflict = conflict or loader_options.model_conflict(code, kind.knows_request_time(model_options))
    assert (conflict is None) == (said is None)
    assert said is None or said in str(conflict)


def test_negatives_are_required_in_training_only() -> None:
    given = ["--model_code", "sas", "--dataset_code", "synthetic", "--loss", "bce"]
    search = ["--search", "{train_negative_sample_size: {int: [1, 9]}}"]
    for command, more in (("test", []), ("validate", []), ("tune", search)):
        assert resolve_words([*given, "--mode", command, *more]).command == command
    with pytest.raises(UserError, match="needs negatives"):
        configure(given)


@pytest.mark.parametrize("loss", ["bce", "gbce"])
def test_the_automatic_offset_is_that_of_the_rarest_positive(loss: str) -> None:
    """log(beta / K): the bias at which the loss is least if all items score alike."""
    loader = make_loader("sas", timed_split(), train_negative_sample_size=3)
    batch = first_batch(loader)
    beta = gbce_beta(3, NUM_ITEMS, 0.75) if loss == "gbce" else 1.0
    of = []
    for offset in ("auto", math.log(beta / 3)):
        model = make_model("sas", loader, {"loss": loss, "logit_offset": offset})
        of.append(model.loss(batch, 0, torch.Generator())[0])
    torch.testing.assert_close(*of)


@pytest.mark.parametrize("kinds", [None, "", "c-p"])
def test_kernel_types_may_be_empty(kinds: str | None) -> None:
    given = MODELS["meantime"].Options(absolute_kernel_types=kinds, relative_kernel_types="s-s")
    assert given.kinds[0] == [k for k in (kinds or "").split("-") if k]
    with pytest.raises(ValueError, match=r"letters joined by -, each one of p \(position\)"):
        MODELS["meantime"].Options(absolute_kernel_types="pd")


@pytest.mark.parametrize("code", ["sas", "tisas"])
def test_times_reach_models_that_require_them(code: str) -> None:
    argv = ["--model_code", code, "--dataset_code", "synthetic"]
    loader = loader_of_run(configure(argv), timed_split())
    assert (first_batch(loader).timestamps is None) == (code == "sas")
