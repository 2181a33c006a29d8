"""A run that goes on from the weights of one on earlier data, as a shop's does each night."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import flags

import main
from runs.trained import load_run

SAS: dict[str, Any] = {
    "model_code": "sas",
    "dataset_code": "file",
    "dataset_path": "shop.csv",
    "hidden_units": 8,
    "num_blocks": 1,
    "num_heads": 1,
    "max_len": 8,
    "num_threads": 1,
    "min_uc": 0,
    "min_sc": 0,
    "experiment_group": "g",
    "test_negative_sampler_code": [],
    "num_epochs": 1,
}
GENTLE = {"lr": 1e-9, "appended_paths": ["night.csv"]}  # a step changes nothing that can be seen


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop's interactions, and those of the night after, with new users and items in between the old ones."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    rows = [f"{2 * u},{2 * random.integers(15)},{100 + t}" for u in range(20) for t in range(9)]
    Path("shop.csv").write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    night = [f"{u},{random.integers(34)},{200 + t}" for u in range(20) for t in range(4)]
    Path("night.csv").write_text("\n".join(["user,item,timestamp", *night]) + "\n")


def run(name: str, **more: Any) -> int:
    return main.run(flags(**{**SAS, "experiment_name": name, **more}))


def item_rows(name: str) -> dict[int, np.ndarray[Any, Any]]:
    """Original id -> row of the item table."""
    trained = load_run(f"experiments/g/{name}").experiment
    table = trained.model.items.weight.detach().numpy()
    return {int(item): table[place + 1] for place, item in enumerate(trained.loader.data.item_ids)}


def test_old_items_keep_their_rows_by_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("before") == 0
    assert run("after", pretrained_weights="experiments/g/before", **GENTLE) == 0
    assert run("fresh", **GENTLE) == 0
    before, after, fresh = item_rows("before"), item_rows("after"), item_rows("fresh")
    assert before.keys() < after.keys() == fresh.keys()
    for item, row in after.items():
        np.testing.assert_allclose(row, before.get(item, fresh[item]), atol=1e-6)
    new = len(after) - len(before)
    assert f"{len(before)} items keep their rows, {new} are new, 0 are gone" in "".join(capsys.readouterr())
    rest = [load_run(f"experiments/g/{name}").experiment.model.state_dict() for name in ("before", "after")]
    for name in rest[0].keys() - {"items.weight"}:
        np.testing.assert_allclose(rest[1][name], rest[0][name], atol=1e-6)


def test_trained_on_held_out_interactions_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("all", train_on="all") == 0
    assert run("after", pretrained_weights="experiments/g/all", **GENTLE) == 1
    assert "was trained on" in (error := capsys.readouterr().err) and "held-out interactions, so its" in error
    assert run("after", pretrained_weights="experiments/g/all", train_on="all", **GENTLE) == 0


def test_without_its_data_it_can_not_be_matched(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("before") == 0
    Path("shop.csv").rename("moved.csv")
    given = {**GENTLE, "dataset_path": "moved.csv", "pretrained_weights": "experiments/g/before"}
    assert run("after", **given) == 1
    assert "its own data is needed as well: dataset_path shop.csv: no such file" in capsys.readouterr().err
    Path("shop.csv").write_text("user,item,timestamp\n1,2,3\n1,3,4\n1,4,5\n1,5,5\n")
    assert run("after", **given) == 1
    assert "it is unknown which items it knows" in capsys.readouterr().err


def test_fitted_models_are_not_started_from_others(capsys: pytest.CaptureFixture[str]) -> None:
    pop = {
        key: value
        for key, value in SAS.items()
        if key in ("dataset_code", "dataset_path", "min_uc", "min_sc", "test_negative_sampler_code")
    }
    own = {"model_code": "pop", "experiment_group": "g", "experiment_name": "before"}
    assert main.run(flags(**pop, **own)) == 0
    later = {**own, "experiment_name": "after", "appended_paths": ["night.csv"]}
    assert main.run(flags(**pop, **later, pretrained_weights="experiments/g/before")) == 1
    assert "model pop can't start from" in capsys.readouterr().err


def test_moved_pieces_of_the_data_can_be_named() -> None:
    assert run("before", appended_paths=["night.csv"]) == 0
    Path("night.csv").rename("elsewhere.csv")
    recommended = ["--mode", "recommend", "--pretrained_weights", "experiments/g/before", "--users", "all"]
    assert main.run(recommended) == 1
    assert main.run([*recommended, "--appended_paths", "elsewhere.csv"]) == 0
