"""Item embeddings joined from coded parts (RecJPQ): the same as an explicit table, in any next-item model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_sequential import make_loader, timed_split
from pydantic import ValidationError
from scipy import sparse
from torch import Tensor

from models import MODELS, Dimensions, Model
from models.layers.coded_items import CodedItemEmbedding, _right_singular_vectors, svd_codes
from models.layers.embedding import ItemEmbedding, init_parameters
from models.next_item import NextItemModel
from runs.warm_start import Moved, moved_weights
from trainers.checkpoint import load_model, model_tensors, read_tensors, write_tensors
from trainers.optimization import add_gradients

ITEMS, WIDTH, SPLITS, CENTROIDS = 50, 12, 3, 7
CODES = sorted(code for code, kind in MODELS.items() if issubclass(kind, NextItemModel))
LOADER = make_loader("sas", timed_split(), train_negative_sample_size=3)


def tables(bias: bool = False, normalized: bool = False, temperature: float = 1.0) -> tuple[CodedItemEmbedding, Any]:
    """A coded table with random codes, and an explicit one of the same rows."""
    random = torch.Generator().manual_seed(0)
    coded = CodedItemEmbedding(ITEMS, WIDTH, bias, normalized, temperature, SPLITS, CENTROIDS)
    plain = ItemEmbedding(ITEMS, WIDTH, bias, normalized, temperature)
    init_parameters(coded, 0.5)
    coded.codes[1:] = torch.randint(CENTROIDS, (ITEMS, SPLITS), generator=random, dtype=torch.uint8)
    with torch.no_grad():
        if coded.bias is not None:
            coded.bias.normal_(generator=random)
            plain.bias.copy_(coded.bias)
        plain.weight.copy_(coded.rows())
    return coded, plain


@pytest.mark.parametrize("form", [{}, {"bias": True, "temperature": 0.5}, {"normalized": True}], ids=str)
def test_it_equals_an_explicit_table(form: dict[str, Any]) -> None:
    coded, plain = tables(**form)
    assert coded.weight.shape == (1 + SPLITS * CENTROIDS, WIDTH // SPLITS)
    assert not coded.rows()[0].any() and coded.rows()[1:].all()
    items, hidden = torch.randint(0, ITEMS + 1, (4, 9)), torch.randn(4, WIDTH)
    close(coded(items), plain(items))
    close(coded.logits(hidden)[:, 1:], plain.logits(hidden)[:, 1:])
    close(coded.logits(hidden, items), plain.logits(hidden, items))
    close(coded.states(hidden) @ coded.vectors().T, plain.logits(hidden))


@pytest.mark.parametrize("loss", ["ce", "sampled_ce", "gbce", "sce"])
def test_losses_and_gradients_equal_those_of_a_table(loss: str) -> None:
    """The gradient of a shared vector is the sum of those of the parts that are it."""
    coded = make_model("sas", loss=loss)
    plain = make_model("sas", loss=loss, item_codes="none")
    weights = {name: tensor for name, tensor in model_tensors(coded).items() if name != "items.codes"}
    load_model(plain, {**weights, "items.weight": coded.items.rows().detach()}, "")
    batch = next(LOADER.epoch(torch.Generator().manual_seed(1)))
    for model in (coded, plain):
        model.train()
        torch.manual_seed(0)
        add_gradients(model, batch, 0, torch.Generator().manual_seed(2), None)
    expected = torch.zeros_like(coded.items.weight)
    width = coded.items.weight.shape[1]
    for split in range(SPLITS):
        rows = (coded.items.firsts[split] + coded.items.codes[:, split].long())[1:]
        expected.index_add_(0, rows, plain.items.weight.grad[1:, split * width : (split + 1) * width])
    close(coded.items.weight.grad, expected)


def make_model(code: str, **options: Any) -> Any:
    """A small model with coded items, which has read the training interactions."""
    data, split = LOADER.data, LOADER.split
    sizes = Dimensions(data.num_items, data.num_users, LOADER.max_len, False, 1, *LOADER.training_days())
    coded = {"hidden_units": WIDTH, "item_codes": "jpq", "jpq_splits": SPLITS, "jpq_centroids": CENTROIDS}
    torch.manual_seed(0)
    model = MODELS[code](MODELS[code].Options.model_validate({**coded, **options}), sizes)
    positions, offsets = split.training_positions()
    model.read_training(torch.from_numpy(data.items[positions].astype(np.int64)), torch.from_numpy(offsets))
    return model


@pytest.mark.parametrize("code", CODES)
def test_each_next_item_model_can_have_coded_items(code: str, tmp_path: Path) -> None:
    """It learns, scores candidates as it scores all items, and comes back from disk, also into a larger catalogue."""
    model: Model = make_model(code)
    assert model.reads_training
    batch = next(make_loader("sas", timed_split()).epoch(torch.Generator().manual_seed(1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = model.loss(batch, 0, torch.Generator().manual_seed(0))[0]
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    model.eval()
    candidates = torch.randint(1, LOADER.data.num_items + 1, (len(batch.users), 5))
    with torch.inference_mode():
        scores = model.scores(batch)
        close(model.scores(batch, candidates), scores.gather(1, candidates))
    write_tensors(tmp_path / "weights.safetensors", model_tensors(model), {})
    weights = read_tensors(tmp_path / "weights.safetensors").tensors
    other = make_model(code).eval()
    load_model(other, weights, "")
    items, users = (Moved(np.arange(count), count) for count in (LOADER.data.num_items, LOADER.data.num_users))
    load_model(other, moved_weights(other, weights, items, users, ""), "")
    with torch.inference_mode():
        assert torch.equal(other.scores(batch), scores)


def test_codes_are_equal_parts_of_similar_items() -> None:
    """Two groups of users and items that never meet: the first singular vectors tell them apart."""
    users = [np.arange(10) + (1 if user < 20 else 11) for user in range(30)]
    items, offsets = torch.from_numpy(np.concatenate(users)), torch.arange(31) * 10
    codes = svd_codes(items, offsets, 20, 2, 2)
    assert not codes[0].any() and torch.equal(codes, svd_codes(items, offsets, 20, 2, 2))
    assert [torch.bincount(column.long()).tolist() for column in codes[1:].T] == [[10, 10]] * 2
    first = codes[1:, 0].view(2, 10)
    assert (first == first[:, :1]).all() and first[0, 0] != first[1, 0]


def test_the_factors_are_those_of_a_full_svd() -> None:
    random = np.random.default_rng(0)
    dense = (random.random((60, 40)) < 0.2).astype(np.float32) @ np.diag(np.linspace(2, 0.2, 40)).astype(np.float32)
    found = _right_singular_vectors(sparse.csr_matrix(dense), 3, random)
    exact = np.linalg.svd(dense)[2][:3]
    np.testing.assert_allclose(np.abs((found * exact).sum(1)), 1, atol=1e-3)


def test_more_codes_than_the_matrix_has_ranks() -> None:
    codes = svd_codes(torch.tensor([1, 2, 1, 3]), torch.tensor([0, 2, 4]), 6, 4, 3)
    assert codes.shape == (7, 4) and [sorted(column.tolist()) for column in codes[1:].T] == [[0, 0, 1, 1, 2, 2]] * 4


def test_what_can_not_be_combined_is_refused() -> None:
    options = MODELS["sas"].Options
    with pytest.raises(ValidationError, match=r"jpq_splits \(5\) must divide hidden_units \(12\)"):
        options(hidden_units=12, item_codes="jpq", jpq_splits=5)


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
