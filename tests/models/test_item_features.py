"""Features of items: how they are read, what they add to embeddings, and that informative ones help."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import sequence_data

from common.errors import UserError
from models import MODELS, Dimensions
from runs.api import configure, train
from runs.item_features import read_item_features

DATA = sequence_data([[1, 2, 3], [3, 4, 1]], 5)  # original ids 100..104
COUNTS = np.array([0, 2, 1, 2, 1, 0])


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "colour,item,genres,year,size\nred,102,a|b,1990,.5\n,100,b,1991,\nblue,999,z,1,1\n"
    )
    features = read_item_features(tmp_path / "items.csv", DATA, COUNTS)
    assert features.num_categories == 1 + 2 + 2  # red; a, b; 1990, 1991: of items of the data
    assert features.categories[3].tolist() == [1, 2, 3, 4]
    assert features.categories[1].tolist() == [3, 5, 0, 0]
    assert not features.categories[[0, 2, 4, 5]].any()
    assert features.vectors[:, 0].tolist() == [0, 0, 0, 0.5, 0, 0]
    assert features.trained.tolist() == [False, True, True, True, True, False]


def test_lists_are_vectors(tmp_path: Path) -> None:
    table = pd.DataFrame({"item_id": ["101", "104"], "text": [[1.0, 2, 3], None], "price": [0.25, 4]})
    table.to_parquet(tmp_path / "items.parquet")
    features = read_item_features(tmp_path / "items.parquet", DATA, COUNTS)
    assert features.num_categories == 0 and not features.categories.any()
    np.testing.assert_array_equal(features.vectors[[2, 5]], [[1, 2, 3, 0.25], [0, 0, 0, 4]])


@pytest.mark.parametrize(
    "text, message",
    [("item,x\n7,a\n", "has no item of small"), ("item\n100\n", "at least one"), ("item,x\n100,a\n100,b\n", "twice")],
)
def test_useless_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "items.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_item_features(tmp_path / "items.csv", DATA, COUNTS)


@pytest.mark.parametrize("code", ["sas", "esas", "gru4rec", "hstu", "bert"])
def test_embeddings_are_sums(tmp_path: Path, code: str) -> None:
    """Of the item's own vector, if it has training interactions, its categories' and its projected numbers."""
    (tmp_path / "items.csv").write_text("item,genres,size\n102,a|b,.5\n104,b,2.0\n")
    features = read_item_features(tmp_path / "items.csv", DATA, COUNTS)
    kind = MODELS[code]
    model = kind(kind.Options(hidden_units=8), Dimensions(5, 2, 4, item_features=features))
    table, own = model.items.features.table.detach(), model.items.weight.detach()
    column = model.items.features.project.weight.detach()[:, 0]
    with torch.no_grad():
        torch.testing.assert_close(model.items(torch.tensor([3]))[0], own[3] + table[1] + table[2] + 0.5 * column)
        torch.testing.assert_close(model.items(torch.tensor([5]))[0], table[2] + 2 * column)  # a cold item
        torch.testing.assert_close(model.items.output_rows()[2], own[2])
        assert not model.items(torch.tensor([0])).any()


@pytest.mark.parametrize("code", ["pop", "ease", "vae", "stan", "bpr_mf"])
def test_models_without_embeddings_refuse_them(tmp_path: Path, code: str) -> None:
    (tmp_path / "items.csv").write_text("item,x\n1,a\n")
    with pytest.raises(UserError, match="item_features"):
        configure(["--model_code", code, "--dataset_code", "synthetic", "--item_features", str(tmp_path / "items.csv")])


def test_informative_features_help_and_shuffled_ones_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users stay in one of 100 groups of 30 items, most of which have at most one interaction."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(4)
    groups = np.repeat(random.integers(0, 100, 300), 8)
    items = groups * 30 + random.integers(0, 30, len(groups))
    table = pd.DataFrame({"user": np.repeat(np.arange(300), 8), "item": items, "timestamp": np.arange(len(items))})
    every = np.arange(3000)
    pd.DataFrame({"item": every, "group": every // 30}).to_csv("informative.csv", index=False)
    pd.DataFrame({"item": every, "group": random.permutation(every // 30)}).to_csv("shuffled.csv", index=False)

    def ndcg(name: str, **changes: object) -> float:
        options = {
            "num_epochs": 12,
            "hidden_units": 32,
            "max_len": 12,
            "lr": 0.005,
            "train_batch_size": 32,
            "min_sc": 0,
        }
        more = {"test_negative_sampler_code": [], "validation_candidates": "full", "num_threads": 1, "num_heads": 1}
        trained = train("train_sas_ce", table, name=name, **{**options, **more, "label": name, **changes})
        return float(trained.results["test"]["full"]["NDCG@10"])

    without = ndcg("without")
    assert ndcg("informative", item_features="informative.csv") > 1.3 * without
    assert ndcg("shuffled", item_features="shuffled.csv") < 1.15 * without
