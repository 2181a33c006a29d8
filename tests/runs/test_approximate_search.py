"""Approximate search: the lists of exact search if all cells are searched, and its recall otherwise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from served_runs import make_run

import main
from runs.approximate import ApproximateSearch, recall, unseen

faiss = pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs."""
    return tmp_path_factory.mktemp("runs")


def lists(runs: Path, code: str, output: Path, *argv: str) -> pd.DataFrame:
    """The lists of a run."""
    given = ["--mode", "recommend", "--pretrained_weights", str(make_run(runs, code)), "--output", str(output)]
    assert main.run([*given, "--overwrite", "true", "--users", "all", "--topk", "5", *argv]) == 0
    return pd.read_parquet(output)


@pytest.mark.parametrize("code", ["sas", "bert", "caser", "bpr_mf", "als"])
def test_all_cells_give_the_exact_lists(
    code: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With seen items left out, also for users who have seen most items; and of some items only."""
    output, some = tmp_path / "lists.parquet", tmp_path / "some.csv"
    some.write_text("item\n" + "\n".join(f"item {number:02d}" for number in range(3, 20)))
    for more in ([], ["--items", str(some)], ["--filter_seen", "true"]):
        exact = lists(runs, code, output, *more)
        capsys.readouterr()
        found = lists(runs, code, output, *more, "--search", "approximate")
        assert "found 100.0% of the items in the exact lists of 30 users" in capsys.readouterr().out
        pd.testing.assert_frame_equal(found, exact, rtol=1e-4)


def test_more_cells_find_more_of_the_best() -> None:
    random = torch.Generator().manual_seed(0)
    vectors = torch.randn(5001, 16, generator=random)
    users = torch.randn(100, 16, generator=random)
    exact = (users @ vectors[1:].T).topk(20).indices.numpy() + 1
    shares = [recall(ApproximateSearch(vectors, cells).nearest(users, 20)[0], exact) for cells in (1, 8, 32, 1000)]
    assert 0.02 < shares[0] < shares[1] < shares[2] < shares[3] == 1.0
    items, scores = ApproximateSearch(vectors, 8).nearest(users, 20)
    np.testing.assert_allclose(scores, np.einsum("ud,uid->ui", users, vectors[items]), rtol=1e-4)
    barred = torch.zeros(5001, dtype=torch.bool)
    barred[exact[:, 0]] = True
    assert not np.isin(ApproximateSearch(vectors, 8, barred).nearest(users, 20)[0], exact[:, 0]).any()


def test_seen_items_are_left_out_of_what_was_found() -> None:
    items = np.array([[5, 3, 9, 4], [5, 3, -1, -1], [7, 2, 1, 3]])
    scores = np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 0.0, 0.0], [2.0, 2.0, 2.0, 1.0]], dtype=np.float32)
    found, kept = unseen(items, scores, np.array([[0, 3, 4], [0, 0, 5], [0, 0, 0]]), 2)
    assert found.tolist() == [[5, 9], [3, 0], [2, 7]]
    assert kept.tolist() == [[4.0, 2.0], [3.0, -np.inf], [2.0, 2.0]]
    assert recall(found, np.array([[5, 4], [3, 0], [2, 8]])) == 3 / 5


def test_other_models_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--mode", "recommend", "--pretrained_weights", str(make_run(runs, "vae")), "--users", "all"]
    assert main.run([*given, "--search", "approximate"]) == 1
    assert "model vae are not products with item vectors" in capsys.readouterr().err


def test_without_faiss_it_says_what_to_install(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    given = ["--mode", "recommend", "--pretrained_weights", str(make_run(runs, "sas")), "--users", "all"]
    assert main.run([*given, "--search", "approximate"]) == 1
    assert "pip install -r requirements-search.txt" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["torch_export", "onnx"])
def test_an_exported_index_finds_what_the_model_does(kind: str, runs: Path, tmp_path: Path) -> None:
    """The script beside the export recommends the same items, without seen ones."""
    run = make_run(runs, "bert", filter_seen="true", experiment_name="unseen")
    found = []
    for search in ("exact", "approximate"):
        folder = tmp_path / search
        given = ["--mode", "export", "--pretrained_weights", str(run), "--export_format", kind, "--search", search]
        assert main.run([*given, "--output", str(folder)]) == 0
        assert (folder / "items.faiss").exists() == (search == "approximate")
        serve = runpy.run_path(str(folder / "serve.py"), run_name="serve")
        found.append(serve["recommend"](["item 03", "item 11", "item 07"], 8))
    assert [item for item, _ in found[0]] == [item for item, _ in found[1]] and len(found[0]) == 8
    np.testing.assert_allclose(*([score for _, score in lists] for lists in found), rtol=1e-3)
