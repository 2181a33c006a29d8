"""Command compare: finished runs are reused, failed runs don't stop the others, killed runs are resumed."""

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import Ended, Running
from small_runs import TINY_VAE, Place, hashes

SHARED = {
    key: TINY_VAE[key]
    for key in (
        *("synthetic_users", "synthetic_items", "synthetic_length", "test_negative_sample_size", "metric_ks"),
        *("test_negative_sampler_code", "num_threads"),
    )
}
VAE = {
    key: value
    for key, value in TINY_VAE.items()
    if key not in SHARED and key not in ("dataset_code", "model_code", "experiment_group", "experiment_name")
}


def write_plan(place: Place, **vaes: dict[str, Any]) -> None:
    """A template that compares popularity with ESAPR, with these options."""
    runs = [{"template": "train_pop"}]
    for label, changes in vaes.items():
        runs.append({"template": "train_vae", "label": label, "overrides": {**VAE, **changes}})
    plan = {"mode": "compare", "datasets": ["synthetic"], "seeds": [0, 1], "runs": runs, **SHARED}
    (place.folder / "plan.yaml").write_text(json.dumps(plan))


def start(place: Place, *options: object, die_at: int | None = None) -> Running:
    return place.launcher.start(place.folder, "--templates", "plan.yaml", *options, die_at=die_at)


def compare(place: Place, *options: object) -> Ended:
    return start(place, *options).wait()


def outcomes(ended: Ended) -> list[str]:
    """The printed outcome of each run."""
    return re.findall(r"^  experiments/\S+ \((\w+)\)$", ended.out, flags=re.MULTILINE)


def numbers(place: Place) -> dict[str, Any]:
    """The test metrics of all runs that have results."""
    found = {}
    for path in sorted(place.folder.glob("experiments/*/*/results.json")):
        results = json.loads(path.read_text())
        found[path.parent.name] = results["validation"], results["test"]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, launcher: Any) -> Place:
    """An uninterrupted comparison."""
    place = Place(tmp_path_factory.mktemp("compared") / "here", launcher)
    write_plan(place, ESAPR={})
    place.first = compare(place).ok()  # type: ignore[attr-defined]
    return place


def report_files(place: Place) -> dict[str, str]:
    """The tables."""
    folder = place.folder / "experiments" / "report"
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".md", ".csv", ".tex")}


def test_all_runs_are_trained_and_a_table_printed(whole: Place) -> None:
    first: Ended = whole.first  # type: ignore[attr-defined]
    assert outcomes(first) == ["trained"] * 3  # popularity once
    assert "ESAPR" in first.out and "Pop" in first.out and "NDCG@10" in first.out
    assert "starting a new one" not in first.err  # nobody asked to resume
    assert report_files(whole)


def test_finished_runs_are_reused(whole: Place) -> None:
    runs = whole.folder / "experiments" / "synthetic"
    before, tables = hashes(runs), report_files(whole)
    again = compare(whole).ok()
    assert outcomes(again) == ["reused"] * 3
    assert hashes(runs) == before
    assert report_files(whole) == tables


def test_finished_runs_with_random_splits_are_reused(place: Place) -> None:
    rows = [f"{user},{item},{1 + (user * item) % 5}" for user in range(30) for item in range(12)]
    (place.folder / "rated.csv").write_text("\n".join(["user_id,item_id,rating", *rows]) + "\n", encoding="utf-8")
    data = {"dataset_code": "file", "dataset_path": "rated.csv"}
    plan = {"mode": "compare", "datasets": [data], "seeds": [0, 1, 2], "runs": ["train_bias"]}
    (place.folder / "plan.yaml").write_text(json.dumps(plan))
    first = compare(place).ok()
    assert outcomes(first) == ["trained"] * 3
    assert outcomes(compare(place).ok()) == ["reused"] * 3
    found = [json.loads(path.read_text()) for path in place.folder.glob("experiments/*/*/results.json")]
    assert len({run["data"]["hash"] for run in found}) == 3
    assert re.search(r"^Bias .* 3  +\S*\d", first.out, flags=re.MULTILINE)  # one row of three seeds


def test_pilots_report_that_all_runs_work(place: Place) -> None:
    write_plan(place, ESAPR={})
    ended = compare(place, "--pilot", True).ok()
    assert outcomes(ended) == ["trained"] * 3 and "All runs work." in ended.out
    assert not (place.folder / "experiments" / "report").exists()


def test_the_same_run_twice_is_an_error(place: Place) -> None:
    write_plan(place, ESAPR={})
    ended = compare(place, "--seeds", 1, 1)
    assert ended.code != 0 and "the same run more than once" in ended.err


def test_a_new_label_trains_nothing_again(whole: Place, place: Place) -> None:
    shutil.copytree(whole.folder, place.folder, dirs_exist_ok=True)
    write_plan(place, renamed={})
    ended = compare(place).ok()
    assert outcomes(ended) == ["reused"] * 3
    assert re.search(r"^ *renamed ", ended.out, flags=re.MULTILINE) and "ESAPR " not in ended.out


def test_tables_of_another_comparison_are_kept(whole: Place, place: Place) -> None:
    shutil.copytree(whole.folder, place.folder, dirs_exist_ok=True)
    before = report_files(place)
    write_plan(place)
    ended = compare(place).ok()
    assert "experiments/report-2 (experiments/report has those of another comparison)" in ended.out
    assert report_files(place) == before
    write_plan(place, ESAPR={})
    assert "experiments/report. The runs:" in compare(place).ok().out


def test_results_that_are_damaged_are_named(whole: Place, place: Place) -> None:
    shutil.copytree(whole.folder, place.folder, dirs_exist_ok=True)
    for number, path in enumerate(sorted(place.folder.glob("experiments/synthetic/*/results.json"))):
        path.write_bytes([b"{", b"[]", b"\xff"][number])
    write_plan(place, ESAPR={})
    ended = compare(place)
    assert ended.code == 1 and outcomes(ended) == ["failed"] * 3
    assert ended.err.count("results.json") >= 3 and "Traceback" not in ended.err


def test_a_run_that_fails_does_not_stop_the_others(place: Place) -> None:
    write_plan(place, broken={"lr": 1e30, "clip_grad_norm": None}, ESAPR={"num_epochs": 1})
    ended = compare(place)
    assert ended.code == 1
    assert outcomes(ended) == ["trained", "failed", "failed", "trained", "trained"]
    assert re.search(r"broken-seed0-\w+ failed: the loss", ended.err) and "Traceback" not in ended.err
    assert "ESAPR" in ended.out
    again = compare(place)
    assert outcomes(again) == ["reused", "failed", "failed", "reused", "reused"]
    assert "the loss of model vae became nan" in again.out and "--retry_failed true" in again.err
    assert "run 2 of 5" not in again.err
    retried = compare(place, "--retry_failed", "true")
    assert outcomes(retried) == outcomes(again) and "run 2 of 5" in retried.err


def test_a_killed_comparison_resumes(whole: Place, place: Place) -> None:
    write_plan(place, ESAPR={})
    for share in (0.1, 0.4, 0.3):  # of all that has to be done, so that something is left
        changes = int(share * whole.first.changes)  # type: ignore[attr-defined]
        assert start(place, die_at=changes).wait().code == -signal.SIGKILL
    ended = compare(place).ok()
    assert "reused" in outcomes(ended) and "trained" in outcomes(ended)
    assert numbers(place) == numbers(whole)
    assert set(report_files(place)) == set(report_files(whole))
    assert without_costs(report_files(place)["report.md"]) == without_costs(report_files(whole)["report.md"])


def wait_for_runs(place: Place, count: int, running: Running) -> None:
    """Wait until so many runs have started, and one has trained for a moment."""
    while not running.ended() and len(list(place.folder.glob("experiments/synthetic/*/log.txt"))) < count:
        time.sleep(0.002)
    time.sleep(0.15)


def without_costs(text: str) -> list[list[str]]:
    """The cells of a Markdown table except minutes and memory, which no two runs share."""
    lines = [line.split("|") for line in text.splitlines() if not line.startswith("Training time")]
    heads = [[cell.strip() for cell in line] for line in lines if "Minutes" in line or " Minutes " in line]
    costs = {head.index(name) for head in heads for name in ("Minutes", "Memory MiB")}
    assert costs
    return [[cell for place, cell in enumerate(line) if place not in costs] for line in lines]


def test_ctrl_c_stops_the_whole_comparison(place: Place) -> None:
    write_plan(place, slow={"train_batch_size": 1, "saturation_wait_epochs": None}, next={})
    running = start(place)
    wait_for_runs(place, 2, running)
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130
    assert outcomes(ended) == ["trained", "interrupted"]
    assert not list(Path(place.folder).glob("experiments/synthetic/next*"))


def test_two_comparisons_at_once_both_end_well(whole: Place, place: Place) -> None:
    """Each waits for the runs that the other trains, and uses their results."""
    write_plan(place, ESAPR={})
    both = [start(place), start(place)]
    ended = [one.wait().ok() for one in both]
    assert numbers(place) == numbers(whole)
    runs = len(outcomes(whole.first))  # type: ignore[attr-defined]
    assert all(len(outcomes(one)) == runs and "failed" not in outcomes(one) for one in ended)


@pytest.mark.parametrize("damage", ["data", "checkpoints", "status.json", "config.yaml"])
def test_overwrite_restarts_a_run_that_can_not_resume(place: Place, damage: str) -> None:
    runs = [{"template": "train_vae", "overrides": {**VAE, "num_epochs": 4}}]
    rows = [f"{user} {1 + (user * 7 + step) % 60}" for user in range(60) for step in range(9)]
    data = {
        "dataset_code": "file",
        "dataset_path": "mine.txt",
        **{key: SHARED[key] for key in SHARED if "synth" not in key},
    }
    (place.folder / "plan.yaml").write_text(json.dumps({"mode": "compare", "seeds": [0], "runs": runs, **data}))
    (place.folder / "mine.txt").write_text("\n".join(rows) + "\n")
    assert start(place, die_at=90).wait().code == -signal.SIGKILL
    (folder,) = (path.parent for path in place.folder.glob("experiments/mine/*/config.yaml"))
    if damage == "data":
        (place.folder / "mine.txt").write_text("\n".join([*rows, "3 60"]) + "\n")
    damaged = {"data": [], "checkpoints": folder.glob("models/recent-*")}
    for path in damaged.get(damage, [folder / damage]):
        path.write_text("{")
    assert compare(place).code == 1
    ended = compare(place, "--overwrite", True).ok()
    assert outcomes(ended) == ["trained"]
    assert json.loads((folder / "results.json").read_text())["epochs"] == 4


def write_file_plan(place: Place, interactions: int, **changes: Any) -> None:
    """Two models without a seed, on a file with this many interactions per user."""
    rows = [f"{user} {1 + (user * 7 + step) % 40}" for user in range(60) for step in range(interactions)]
    (place.folder / "mine.txt").write_text("\n".join(rows) + "\n")
    plan = {
        "mode": "compare",
        "runs": [{"template": template, **changes} for template in ("train_pop", "train_itemknn")],
        "seeds": [0, 1],
        "min_uc": 0,
        "min_sc": 0,
    }
    plan |= {"datasets": [{"dataset_code": "file", "dataset_path": "mine.txt"}], "test_negative_sampler_code": []}
    (place.folder / "plan.yaml").write_text(json.dumps(plan))


def test_results_of_data_that_has_changed_are_not_reused(place: Place) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    write_file_plan(place, 10)
    assert outcomes(compare(place).ok()) == ["trained", "trained"]
    before = numbers(place)
    write_file_plan(place, 12)
    again = compare(place)
    assert again.code == 1 and outcomes(again) == ["failed", "failed"]
    assert "has changed" in again.err and numbers(place) == before


def test_two_runs_never_share_a_folder(place: Place) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    write_file_plan(place, 10, overrides={"experiment_name": "q"})
    refused = compare(place)
    assert refused.code == 1 and "experiment_name" in refused.err
    assert not (place.folder / "experiments").exists()


def test_too_few_negatives_are_reported_before_training(place: Place) -> None:
    refused = place.run(test_negative_sample_size=100_000)
    assert refused.code == 1 and "100" in refused.err and "epoch 1" not in refused.err
    assert not (place.run_folder / "tables").exists()


def write_grid(place: Place) -> None:
    """Three small models on two datasets with two seeds."""
    rows = [f"{user} {1 + (user * 7 + step * (1 + user % 3)) % 40}" for user in range(60) for step in range(10)]
    (place.folder / "mine.txt").write_text("\n".join(rows) + "\n")
    vae = {**VAE, "num_epochs": 4, "max_len": 4}
    plan = {
        "mode": "compare",
        "datasets": ["synthetic", {"dataset_code": "file", "dataset_path": "mine.txt", "min_uc": 0, "min_sc": 0}],
        "seeds": [0, 1],
        "runs": [
            "train_pop",
            {"template": "train_vae", "label": "ESAPR", "overrides": vae},
            {"template": "train_vae", "label": "narrow", "overrides": {**vae, "hidden_layers": [4]}},
        ],
        "num_threads": 1,
        "synthetic_users": 80,
        "synthetic_items": 150,
        "test_negative_sample_size": 10,
    }
    (place.folder / "plan.yaml").write_text(json.dumps(plan))


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, launcher: Any) -> Place:
    """An uninterrupted grid."""
    place = Place(tmp_path_factory.mktemp("grid") / "here", launcher)
    write_grid(place)
    assert outcomes(compare(place).ok()) == ["trained"] * 10
    return place


@pytest.mark.parametrize("max_parallel", [1, 2])
def test_a_killed_grid_ends_in_the_same_table(grid: Place, place: Place, max_parallel: int) -> None:
    """Kill all its processes (kill -9) during a run: twice, or once if they start slowly."""
    write_grid(place)
    moments = random.Random(max_parallel)
    for run in (moments.randrange(2, 6), moments.randrange(6, 9))[max_parallel - 1 :]:
        running = start(place, "--max_parallel", max_parallel)
        while not running.ended() and len(list(place.folder.glob("experiments/*/*/log.txt"))) < run:
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.2))
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait().code == -signal.SIGKILL
        assert len(numbers(place)) < 10
    ended = start(place, "--max_parallel", max_parallel).wait().ok()
    done = outcomes(ended)
    assert len(done) == 10 and set(done) == {"reused", "trained"}
    assert numbers(place) == numbers(grid)
    assert without_costs(report_files(place)["report.md"]) == without_costs(report_files(grid)["report.md"])


def test_ctrl_c_stops_all_parallel_runs(place: Place) -> None:
    slow = {"saturation_wait_epochs": None}
    write_plan(place, slow=slow, slower=slow)
    running = start(place, "--max_parallel", 2)
    while not running.ended() and len(list(place.folder.glob("experiments/*/slow-*/tables/val_log.csv"))) < 2:
        time.sleep(0.01)
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130
    assert outcomes(ended) == ["trained", "interrupted", "interrupted"]
    for folder in place.folder.glob("experiments/*/slow-*"):
        assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
        assert (folder / "results.json").is_file()
    lines = [line for line in ended.err.splitlines() if "epoch 1:" in line or "epoch 1 (" in line]
    assert {line.split("]")[0].removeprefix("[synthetic/slow-seed")[0] for line in lines} == {"0", "1"}
