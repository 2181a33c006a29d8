"""Mode compare: what is finished is reused, what fails doesn't stop the others, what was killed goes on."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
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
    """A template of a comparison of popularity with ESAPR under some options each."""
    runs = [{"template": "train_pop"}]
    for label, changes in vaes.items():
        runs.append({"template": "train_vae", "label": label, "overrides": {**VAE, **changes}})
    plan = {"mode": "compare", "datasets": ["synthetic"], "seeds": [0, 1], "runs": runs, **SHARED}
    (place.folder / "plan.yaml").write_text(yaml.safe_dump(plan))


def start(place: Place) -> Running:
    return place.launcher.start(place.folder, "--templates", "plan.yaml")


def compare(place: Place) -> Ended:
    return start(place).wait()


def outcomes(ended: Ended) -> list[str]:
    """What became of each run, as it is printed."""
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
    """A comparison that nobody interrupted."""
    place = Place(tmp_path_factory.mktemp("compared") / "here", launcher)
    write_plan(place, ESAPR={})
    place.first = compare(place).ok()  # type: ignore[attr-defined]
    return place


def report_files(place: Place) -> dict[str, str]:
    """The tables."""
    folder = place.folder / "experiments" / "report"
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".md", ".csv", ".tex")}


def test_it_trains_all_and_shows_their_table(whole: Place) -> None:
    first: Ended = whole.first  # type: ignore[attr-defined]
    assert outcomes(first) == ["trained"] * 4
    assert "ESAPR" in first.out and "Pop" in first.out and "NDCG@10" in first.out
    assert report_files(whole)


def test_finished_runs_are_reused(whole: Place) -> None:
    runs = whole.folder / "experiments" / "synthetic"
    before, tables = hashes(runs), report_files(whole)
    again = compare(whole).ok()
    assert outcomes(again) == ["reused"] * 4
    assert hashes(runs) == before
    assert report_files(whole) == tables


def test_a_run_that_fails_does_not_stop_the_others(place: Place) -> None:
    write_plan(place, broken={"lr": 1e30, "clip_grad_norm": None}, ESAPR={"num_epochs": 1})
    ended = compare(place)
    assert ended.code == 1
    assert outcomes(ended) == ["trained", "trained", "failed", "failed", "trained", "trained"]
    assert "broken failed" in ended.err and "Traceback" not in ended.err
    assert "ESAPR" in ended.out
    again = compare(place)
    assert outcomes(again) == ["reused", "reused", "failed", "failed", "reused", "reused"]


def test_a_killed_comparison_goes_on(whole: Place, place: Place) -> None:
    write_plan(place, ESAPR={})
    for folders in (2, 3, 4):  # in the middle of the runs with this number
        running = start(place)
        wait_for_runs(place, folders, running)
        running.send(signal.SIGKILL)
        running.wait()
    ended = compare(place).ok()
    assert "reused" in outcomes(ended) and "trained" in outcomes(ended)
    assert numbers(place) == numbers(whole)
    assert set(report_files(place)) == set(report_files(whole))
    assert without_costs(report_files(place)["report.md"]) == without_costs(report_files(whole)["report.md"])


def wait_for_runs(place: Place, count: int, running: Running) -> None:
    """Wait until so many runs have begun, and one of them has been training for a moment."""
    while not running.ended() and len(list(place.folder.glob("experiments/synthetic/*/log.txt"))) < count:
        time.sleep(0.002)
    time.sleep(0.15)


def without_costs(text: str) -> list[list[str]]:
    """The cells of a Markdown table but for the last two columns: minutes and memory."""
    assert "Minutes | Memory MiB |" in text
    return [line.split("|")[:-3] if line.startswith("|") else [line] for line in text.splitlines()]


def test_the_keyboard_stops_the_whole_comparison(place: Place) -> None:
    write_plan(place, slow={"train_batch_size": 1, "saturation_wait_epochs": None}, next={})
    running = start(place)
    wait_for_runs(place, 3, running)
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130
    assert outcomes(ended) == ["trained", "trained", "interrupted"]
    assert not list(Path(place.folder).glob("experiments/synthetic/next*"))


def write_file_plan(place: Place, interactions: int, **changes: Any) -> None:
    """A comparison of popularity with itself on a file of that many interactions a user."""
    rows = [f"{user} {1 + (user * 7 + step) % 40}" for user in range(60) for step in range(interactions)]
    (place.folder / "mine.txt").write_text("\n".join(rows) + "\n")
    plan = {
        "mode": "compare",
        "runs": [{"template": "train_pop", **changes}],
        "seeds": [0, 1],
        "min_uc": 0,
        "min_sc": 0,
    }
    plan |= {"datasets": [{"dataset_code": "file", "dataset_path": "mine.txt"}], "test_negative_sampler_code": []}
    (place.folder / "plan.yaml").write_text(yaml.safe_dump(plan))


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


def test_too_few_negatives_are_told_before_training(place: Place) -> None:
    refused = place.run(test_negative_sample_size=100_000)
    assert refused.code == 1 and "100" in refused.err and "epoch 1" not in refused.err
    assert not (place.run_folder / "tables").exists()
