"""Semantic ids, the trie over them, and the beam search of `tiger`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_sequential import first_batch, make_loader, timed_split

from common.errors import UserError
from dataloaders import Batch
from models import Dimensions
from models.layers.item_features import ItemFeatures
from models.layers.semantic_ids import Trie, residual_kmeans, semantic_ids
from models.tiger import Tiger
from runs.api import configure, train
from runs.trained import load_run
from trainers.checkpoint import model_tensors

ITEMS, LENGTH = 40, 8


def clusters(groups: int, size: int, spread: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """[groups * size, 4]: points around `groups` far-apart ones, in turn."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 10, (groups, 4))
    return np.float32(np.tile(centres, (size, 1)) + random.normal(0, spread, (groups * size, 4)))


def features_of(vectors: np.ndarray[Any, Any]) -> ItemFeatures:
    """Features that are vectors alone."""
    nothing = torch.zeros(len(vectors), 1, dtype=torch.int64)
    return ItemFeatures(nothing, 0, torch.from_numpy(np.float32(vectors)), torch.ones(len(vectors), dtype=torch.bool))


def tiger(items: int = ITEMS, **options: Any) -> Tiger:
    """A small model whose parameters all matter, with ids of random vectors."""
    torch.manual_seed(1)
    vectors = np.random.default_rng(2).normal(size=(items + 1, 6))
    chosen = {"hidden_units": 16, "codebook_size": 6, "code_levels": 2, "num_heads": 2, **options}
    model = Tiger(Tiger.Options(**chosen), Dimensions(items, 20, LENGTH, item_features=features_of(vectors)))
    model.read_training(torch.zeros(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    return model.eval()


def histories(rows: int = 5) -> Batch:
    """Left-padded inputs of 1 to LENGTH items."""
    items = torch.randint(1, ITEMS + 1, (rows, LENGTH), generator=torch.Generator().manual_seed(4))
    lengths = torch.arange(rows) % LENGTH + 1
    return Batch(torch.arange(rows), items.masked_fill(torch.arange(LENGTH) < (LENGTH - lengths)[:, None], 0))


def test_kmeans_finds_the_clusters_then_what_is_left() -> None:
    """4 clusters at the first level; at the second, the places within them."""
    points = clusters(4, 25, 0.05)
    codes = residual_kmeans(points, 2, 8, np.random.default_rng(1))
    first = codes[:, 0].reshape(25, 4)
    assert all(len(set(first[:, one]) & set(first[:, other])) == 0 for one in range(4) for other in range(one))
    centroids = np.stack([points[codes[:, 0] == code].mean(0) for code in range(8)])
    near = ((points[:, None] - centroids) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(near, codes[:, 0])
    left = points - centroids[codes[:, 0]]
    explained = np.stack([left[codes[:, 1] == code].mean(0) for code in range(8)])[codes[:, 1]]
    assert ((left - explained) ** 2).sum() < 0.6 * (left**2).sum()


def test_few_distinct_vectors_have_a_code_each() -> None:
    points = np.float32([[0, 1], [1, 0], [0, 1], [1, 1]])
    codes = residual_kmeans(points, 2, 16, np.random.default_rng(0))
    assert len({*codes[:, 0]}) == 3 and codes[0, 0] == codes[2, 0] and not codes[:, 1].any()


def test_ids_are_unique_and_decided_by_the_seed() -> None:
    vectors = np.concatenate([np.zeros((1, 4), np.float32), clusters(5, 40, 0.01)])
    vectors[7] = vectors[3] * 2  # the same direction
    vectors[9] = 0  # nothing is known of it
    ids = semantic_ids(vectors, 2, 16, seed=3)
    assert ids.shape == (201, 3) and not ids[0].any() and ids.max() < 16
    assert len(np.unique(ids[1:], axis=0)) == 200
    np.testing.assert_array_equal(ids[3, :2], ids[7, :2])
    assert ids[3, 2] < ids[7, 2]
    np.testing.assert_array_equal(ids, semantic_ids(vectors, 2, 16, seed=3))
    assert not np.array_equal(ids, semantic_ids(vectors, 2, 16, seed=4))


def test_too_many_equal_items_are_refused() -> None:
    with pytest.raises(UserError, match=r"20 items have the same semantic codes.*codebook_size"):
        semantic_ids(np.ones((21, 3), np.float32), 2, 8, seed=0)


def test_the_trie_holds_each_id_once() -> None:
    ids = torch.tensor([[0, 0, 0], [2, 1, 0], [0, 3, 1], [2, 1, 1], [0, 3, 0], [0, 1, 0]])
    trie = Trie.of(ids)
    assert trie.items.tolist() == [5, 4, 2, 1, 3]
    assert [level.tolist() for level in trie.codes] == [[0, 2], [1, 3, 1], [0, 0, 1, 0, 1]]
    assert [level.tolist() for level in trie.children] == [[[0, 1]], [[0, 1], [2, -1]], [[0, -1], [1, 2], [3, 4]]]


def test_every_result_is_an_item_and_none_comes_twice() -> None:
    model, batch = tiger(), histories()
    with torch.inference_mode():
        items, found = model.search(batch.items, batch.users, 7)
    assert items.shape == found.shape == (5, 7)
    for row, values in zip(items.tolist(), found, strict=True):
        assert len({*row}) == 7 and min(row) >= 1 and max(row) <= ITEMS
        assert torch.isfinite(values).all() and (values.diff() <= 0).all()


def test_exact_scores_are_the_log_probabilities_of_the_loss() -> None:
    """Decoding step after step equals decoding all steps at once, for every item. Other ids have the rest of 1."""
    model = tiger(beam_size=0, user_tokens=3)
    batch = histories()
    with torch.inference_mode():
        scores = model.scores(batch)
        for item in range(1, ITEMS + 1):
            for row in range(len(batch.users)):
                history = batch.items[row : row + 1]
                target = torch.zeros_like(history)
                target[:, -1] = item
                loss, _ = model.loss(Batch(batch.users[row : row + 1], history, targets=target), 0, torch.Generator())
                torch.testing.assert_close(-loss, scores[row, item], rtol=1e-4, atol=1e-5)
    assert (scores[:, 1:].exp().sum(1) <= 1 + 1e-5).all()


def test_a_wide_beam_is_exact_and_a_narrow_one_its_head() -> None:
    batch = histories()
    models = [tiger(beam_size=size) for size in (0, ITEMS, 6)]
    with torch.inference_mode():
        exact, wide, narrow = (model.scores(batch) for model in models)
    assert torch.equal(exact[:, 1:], wide[:, 1:])
    for row in range(len(batch.users)):
        least = narrow[row].min()
        found = (narrow[row] > least).nonzero().squeeze(1)
        assert len(found) == 6 and 0 not in found
        torch.testing.assert_close(narrow[row, found], exact[row, found])
        torch.testing.assert_close(least, narrow[row, found].min() - 1)  # all others tie


def test_positions_do_not_see_later_items() -> None:
    """Each position's loss is that of its prefix alone."""
    model = tiger()
    loader = make_loader("sas", timed_split())
    batch = first_batch(loader)
    with torch.inference_mode():
        loss, _ = model.loss(batch, 0, torch.Generator())
        losses = []
        for row in range(len(batch.users)):
            real = (batch.items[row] > 0).nonzero().squeeze(1)
            for end in real.tolist():
                items = batch.items[row : row + 1, real[0] : end + 1]
                targets = torch.zeros_like(items)
                targets[0, -1] = batch.targets[row, end]  # type: ignore[index]
                losses.append(model.loss(Batch(batch.users[row : row + 1], items, targets=targets), 0, None)[0])  # type: ignore[arg-type]
    torch.testing.assert_close(torch.stack(losses).mean(), loss, rtol=1e-4, atol=1e-5)


def test_codes_come_with_the_weights() -> None:
    """Weights of a model with other codes bring them, and the trie of them."""
    model, other = tiger(), tiger(items=ITEMS)
    other.codes[1:] = other.codes[1:].flip(0)
    batch = histories()
    with torch.inference_mode():
        before = other.scores(batch)
        other.load_state_dict(model_tensors(model))
        assert not torch.equal(before, other.scores(batch))
        assert torch.equal(model.scores(batch), other.scores(batch))


RUN: dict[str, Any] = {
    "dataset_code": "synthetic",
    "synthetic_users": 60,
    "synthetic_items": 40,
    "synthetic_length": 8,
    "max_len": 6,
    "hidden_units": 8,
    "codebook_size": 8,
    "test_negative_sampler_code": [],
    "validation_candidates": "full",
    "num_threads": 1,
    "saturation_wait_epochs": None,
    "checkpoint_seconds": 0,
}


def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    def run(folder: str, epochs: int, **changes: Any) -> dict[str, bytes]:
        places = {"experiment_root": tmp_path / folder, "local_data_folder": tmp_path / "Data"}
        train("train_tiger", **RUN, **places, experiment_name="run", num_epochs=epochs, **changes)
        return {
            path.name: path.read_bytes()
            for path in (tmp_path / folder).rglob("*")
            if path.name in ("best.safetensors", "val_log.csv")
        }

    whole = run("whole", 3)
    run("cut", 1)
    assert run("cut", 3, resume_training=True) == whole
    assert len(whole) == 2


def test_given_embeddings_decide_the_ids(tmp_path: Path) -> None:
    """Items with the same vector share all codes but the last."""
    lines = [f"{item},{item % 4 + 1}.0,{1 - 2 * (item // 4 % 2)}.0" for item in range(1, 41)]
    file = tmp_path / "vectors.csv"
    file.write_text("item,x,y\n" + "\n".join(lines) + "\n")
    run = train(
        "train_tiger",
        **RUN,
        num_epochs=1,
        item_embeddings=file,
        experiment_root=tmp_path / "e",
        local_data_folder=tmp_path / "Data",
    )
    model = load_run(run.folder, local_data_folder=tmp_path / "Data").experiment.model
    assert isinstance(model, Tiger)
    prefixes = model.codes[1:, :-1].unique(dim=0)
    assert len(prefixes) == 8
    file.write_text("item,kind\n" + "\n".join(f"{item},a" for item in range(1, 41)) + "\n")
    with pytest.raises(UserError, match=r"vectors\.csv has no vectors"):
        load_run(run.folder, local_data_folder=tmp_path / "Data")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"item_embeddings": "nothing.csv"}, "no such file"),
        ({"num_heads": 3}, "num_heads"),
        ({"train_negative_sample_size": 2}, "uses no negatives"),
        ({"beam_size": 20}, "too few for metrics at 50"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with pytest.raises(UserError, match=message):
        configure(["--model_code", "tiger", "--dataset_code", "synthetic", *given])
