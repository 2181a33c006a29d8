"""Training on all interactions: with a number of epochs, or that of a validated run; and serving such a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import flags
from small_runs import TINY, TINY_VAE

import main
from runs.train_on_all import _Validated
from runs.trained import load_run

SAS: dict[str, Any] = {**TINY, "model_code": "sas", "hidden_units": 8, "num_blocks": 1, "num_heads": 1, "max_len": 8}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def run(base: dict[str, Any], name: str, **more: Any) -> int:
    return main.run(flags(**{**base, "experiment_name": name, **more}))


def read(name: str) -> dict[str, Any]:
    """The results of a run."""
    return dict(json.loads(Path("experiments/g", name, "results.json").read_text()))


def test_all_interactions_are_trained_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SAS, "all", train_on="all", num_epochs=2) == 0
    results = read("all")
    assert "test" not in results and "validation" not in results
    assert (results["epochs"], results["best_epoch"], results["stopped_by"]) == (2, 2, "num_epochs")
    assert results["protocol"]["in_words"] == "trained on all interactions, nothing is evaluated"
    trained = load_run("experiments/g/all").experiment.loader
    assert trained.training_item_counts().sum() == trained.data.num_interactions
    recommended = ["--mode", "recommend", "--pretrained_weights", "experiments/g/all", "--users", "all"]
    assert main.run([*recommended, "--topk", "3", "--output", "lists.parquet"]) == 0
    assert len(pd.read_parquet("lists.parquet")) == 3 * trained.data.num_users
    assert main.run([*recommended, "--history", "test", "--output", "x.csv"]) == 1
    assert "it has no test set" in capsys.readouterr().err
    assert main.run(["--mode", "test", "--templates", "experiments/g/all/config.yaml"]) == 1
    assert "nothing to evaluate on" in capsys.readouterr().err


def test_the_epochs_of_a_validated_run_are_used() -> None:
    assert run(SAS, "validated", num_epochs=4) == 0
    best = read("validated")["best_epoch"]
    assert run(SAS, "all", train_on="all", epochs_of="experiments/g/validated") == 0
    assert read("all")["epochs"] == best and read("all")["options"]["num_epochs"] == best


def test_stages_have_the_epochs_that_led_to_the_best_model() -> None:
    assert run(TINY_VAE, "validated", num_epochs=9) == 0
    assert run(TINY_VAE, "all", train_on="all", epochs_of="experiments/g/validated") == 0
    epochs = read("all")["options"]["stage_epochs"]
    assert sum(epochs) == read("all")["epochs"] <= read("validated")["best_epoch"]
    stages = pd.read_csv("experiments/g/all/tables/train_log.csv")["stage"]
    counts = [int((stages == f"recover_len {length}").sum()) for length in (8, 4, 2, 1)]
    assert counts == [*epochs, *[0] * (4 - len(epochs))]


def test_an_interrupted_run_resumes_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = {"train_on": "all", "num_epochs": 5, "stage_epochs": [2, 0, 2, 1], "checkpoint_seconds": 0}
    assert run(TINY_VAE, "whole", **stages) == 0
    from trainers.trainer import Trainer  # noqa: PLC0415

    one_epoch = Trainer._one_epoch

    def three(self: Trainer, *given: Any) -> bool:
        if self.state.epoch == 3:
            raise KeyboardInterrupt
        return one_epoch(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_one_epoch", three)
        assert run(TINY_VAE, "cut", **stages) == 130
    assert run(TINY_VAE, "cut", **stages, resume_training=True) == 0
    weights = [Path("experiments/g", name, "models", "best.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    assert pd.read_csv("experiments/g/cut/tables/train_log.csv")["epoch"].tolist() == [1, 2, 3, 4, 5]


def test_fitted_models_use_everything() -> None:
    assert run({**TINY, "model_code": "pop"}, "all", train_on="all") == 0
    trained = load_run("experiments/g/all").experiment
    counts = trained.loader.training_item_counts()
    assert counts.sum() == trained.loader.data.num_interactions
    assert "test" not in read("all")


@pytest.mark.parametrize(
    ("stages", "values", "best", "from_best", "expected"),
    [
        ("aaa", [1, 3, 2], 2, True, [2]),
        ("aaabbb", [1, 3, 2, 4, 5, 4], 5, True, [2, 2]),
        ("aaabbb", [1, 3, 2, 4, 5, 4], 5, False, [3, 2]),
        ("aabbcc", [1, 5, 2, 3, 6, 4], 5, True, [2, 0, 1]),
        ("aabb", [1, 5, 2, 3], 2, True, [2, 0]),
    ],
)
def test_epochs_after_the_best_do_not_count(
    stages: str, values: list[float], best: int, from_best: bool, expected: list[int]
) -> None:
    assert _Validated(best, list(stages), values, True, from_best).epochs_of_stages() == expected
    errors = (10 - np.array(values)).tolist()
    assert _Validated(best, list(stages), errors, False, from_best).epochs_of_stages() == expected


@pytest.mark.parametrize(
    ("base", "options", "code", "message"),
    [
        (SAS, {"train_on": "all"}, 2, "give num_epochs, or epochs_of"),
        (SAS, {"epochs_of": "x"}, 2, "epochs_of has no effect"),
        (SAS, {"train_on": "all", "epochs_of": "x"}, 1, "there is no finished, validated run"),
        (TINY_VAE, {"train_on": "all", "num_epochs": 3}, 2, "needs stage_epochs or epochs_of"),
        (TINY_VAE, {"train_on": "all", "num_epochs": 3, "stage_epochs": [2, 2]}, 2, "should be 4"),
        (TINY_VAE, {"train_on": "all", "num_epochs": 5, "stage_epochs": [1] * 5}, 1, "the run has 4 stages"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    base: dict[str, Any], options: dict[str, Any], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(base, "x", **options) == code
    assert message in capsys.readouterr().err


def test_comparisons_and_searches_refuse_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.yaml").write_text("model_code: pop\ntrain_on: all\n")
    Path("many.yaml").write_text("mode: compare\nruns: [one.yaml]\ndatasets: [synthetic]\n")
    assert main.run(["--templates", "many.yaml"]) == 2
    assert "nothing to compare runs on" in capsys.readouterr().err
    assert (
        main.run(["--templates", "train_ease", "--mode", "tune", "--train_on", "all", "--search", "{l2: [1, 2]}"]) == 2
    )
    assert "nothing to evaluate on, so command tune can't use it" in capsys.readouterr().err
