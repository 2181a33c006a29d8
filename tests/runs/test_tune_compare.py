"""A comparison gives each model the same number of trials, and its results record that."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_runs import Place, hashes
from test_tune_command import SPACE, TUNE

from options import OptionsError, Resolved
from runs.api import resolve_words

SHARED = {key: value for key, value in TUNE.items() if key.startswith(("synthetic", "test_negative_sample_size"))}
SAS = {
    key: TUNE[key] for key in ("max_len", "hidden_units", "num_blocks", "num_heads", "train_batch_size", "num_epochs")
}


def write_plan(folder: Path, **changes: Any) -> Path:
    """A template of a comparison of popularity with SASRec, tuned."""
    search = yaml.safe_load(SPACE.replace("1e-3", "0.001").replace("1e-1", "0.1"))
    plan = {
        "mode": "compare",
        "datasets": ["synthetic"],
        "seeds": [3, 4],
        "tune_trials": 2,
        "metric_ks": [1, 10],
        "num_threads": 1,
        **SHARED,
        "runs": [{"template": "train_pop"}, {"template": "train_sas", "overrides": SAS, "search": search}],
        **changes,
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


def runs_of(path: Path, *more: str) -> tuple[Resolved, ...]:
    return resolve_words(["--templates", str(path), *more]).runs


def test_runs_are_tuned_once_for_all_seeds(place: Place) -> None:
    write_plan(place.folder)
    first = place.launcher.run(place.folder, "--templates", "plan.yaml").ok()
    experiments = place.folder / "experiments" / "synthetic"
    searches = [path.parent for path in experiments.glob("tune-*/tuning.json")]
    runs = [json.loads(path.read_text()) for path in experiments.glob("*/results.json")]
    assert len(searches) == 1 and len(runs) == 3
    assert re.findall(r"\((\w+)\)$", first.out, flags=re.MULTILINE) == ["trained"] * 3
    summary = json.loads((searches[0] / "tuning.json").read_text())
    assert summary["budget"]["trials"] == 2 and summary["seed"] == 3
    for run in runs:
        if run["model_code"] == "pop":
            assert run["tuned"] is None
            continue
        assert run["tuned"] == {"folder": f"experiments/synthetic/{searches[0].name}", **summary}
        assert {key: run["options"][key] for key in summary["values"]} == summary["values"] and run["test"]
    before = {str(path): hashes(path.parent) for path in experiments.glob("*/results.json")}
    again = place.launcher.run(place.folder, "--templates", "plan.yaml").ok()
    assert re.findall(r"\((\w+)\)$", again.out, flags=re.MULTILINE) == ["reused"] * 3
    assert {str(path): hashes(path.parent) for path in experiments.glob("*/results.json")} == before
    status = place.launcher.run(place.folder, "--templates", "plan.yaml", "--mode", "status").ok()
    assert status.out.count("finished") >= 3


def test_without_a_budget_nothing_is_tuned(tmp_path: Path) -> None:
    assert {run.command for run in runs_of(write_plan(tmp_path, tune_trials=None))} == {"train"}


def test_only_runs_with_a_search_are_tuned(tmp_path: Path) -> None:
    found = runs_of(write_plan(tmp_path))
    assert [run.command for run in found] == ["train", "train", "tune", "tune"]
    assert [run.values["seed"] for run in found] == [3, 4, 3, 4]
    assert all(run.values["num_trials"] == 2 and run.values["tune_seed"] == 3 for run in found[2:])


def test_a_template_s_own_search_is_used(tmp_path: Path) -> None:
    path = write_plan(tmp_path, runs=["tune_ease", "train_pop"])
    assert [run.command for run in runs_of(path)] == ["tune", "tune", "train", "train"]
    assert runs_of(path, "--tune_trials", "7")[0].values["num_trials"] == 7


def test_errors_in_a_run_s_search_are_reported(tmp_path: Path) -> None:
    runs = [{"template": "train_sas", "search": {"dropot": {"uniform": [0, 0.5]}, "lr": {"uniform": [1, 0]}}}]
    with pytest.raises(OptionsError) as caught:
        runs_of(write_plan(tmp_path, runs=runs))
    message = str(caught.value)
    assert "did you mean `dropout`" in message and "search.lr" in message and "run `train_sas`" in message
