"""Command status: shows the state of a comparison's runs and changes nothing."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import Running
from small_runs import TINY_VAE, Place, hashes

from runs.comparison import recorded_times
from runs.comparison.recorded_times import RecordedTimes

NOT_SHARED = ("dataset_code", "model_code", "experiment_group", "experiment_name")


def write_plan(place: Place, label: str = "ESAPR", **changes: Any) -> None:
    """Popularity, which no seed changes, and ESAPR on two seeds: three runs."""
    place.folder.mkdir(parents=True, exist_ok=True)
    vae = {key: value for key, value in TINY_VAE.items() if key not in NOT_SHARED}
    shared = {key: vae.pop(key) for key in list(vae) if key.startswith(("synthetic", "test_", "metric", "num_thr"))}
    runs = [{"template": "train_pop"}, {"template": "train_vae", "label": label, "overrides": {**vae, **changes}}]
    plan = {"mode": "compare", "datasets": ["synthetic"], "seeds": [0, 1], "runs": runs, **shared}
    (place.folder / "plan.yaml").write_text(yaml.safe_dump(plan))


def start(place: Place, *options: object) -> Running:
    return place.launcher.start(place.folder, "--templates", "plan.yaml", *options, env={"COLUMNS": "140"})


def ask(place: Place) -> tuple[list[list[str]], str]:
    """The rows of the table and the text below it; checks that nothing has changed."""
    before = hashes(place.folder)
    out = start(place, "--mode", "status").wait().ok().out
    assert hashes(place.folder) == before
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]
    return rows, out.split("┘")[-1]


def column(rows: list[list[str]], number: int) -> list[str]:
    return [row[number] for row in rows]


def tell(place: Place, **statuses: dict[str, Any] | str) -> None:
    """Write a status into the folders of runs that were never started, by the prefix of their names."""
    for name in column(ask(place)[0], 0):
        for begin, status in statuses.items():
            if name.startswith(begin.replace("_", "-")):
                folder = place.folder / "experiments" / "synthetic" / name
                folder.mkdir(parents=True)
                (folder / "status.json").write_text(status if isinstance(status, str) else json.dumps(status))


def test_status_from_not_started_to_finished(place: Place) -> None:
    write_plan(place)
    rows, below = ask(place)
    assert column(rows, 1) == ["synthetic"] * 3 and column(rows, 2) == ["not started"] * 3
    assert all(re.fullmatch(r"~[\d:]+", left) for left in column(rows, 6))  # from the recorded runs
    assert "3 runs: 3 not started" in below and "unknown" not in below and "a rough guess" in below
    start(place).wait().ok()
    rows, below = ask(place)
    assert column(rows, 2) == ["finished"] * 3 and column(rows, 6) == [""] * 3
    epochs = [json.loads(path.read_text())["epochs"] for path in place.folder.glob("experiments/*/ESAPR*/results.json")]
    assert sorted(column(rows, 3)) == sorted(["1", *map(str, epochs)])
    assert all(re.fullmatch(r"NDCG@10 0\.\d{4} \(\d+\)", best) for best in column(rows, 4))
    assert "3 runs: 3 finished" in below and "left" not in below and "guess" not in below
    write_plan(place, label="renamed")
    rows, below = ask(place)
    assert column(rows, 2) == ["finished"] * 3 and below.count("was started under this earlier label") == 2


def wait_for_rows(place: Place, run: str, running: Running) -> None:
    """Wait until a run has finished two epochs."""
    pattern = f"experiments/synthetic/{run}-*/tables/val_log.csv"
    while not any(path.read_text().count("\n") > 2 for path in place.folder.glob(pattern)):
        assert not running.ended(), running.wait()
        time.sleep(0.01)


def test_a_running_run_differs_from_a_killed_one(place: Place) -> None:
    write_plan(place, saturation_wait_epochs=None, num_epochs=100_000)
    running = start(place)
    wait_for_rows(place, "ESAPR-seed0", running)
    rows, below = ask_while_running(place)
    assert column(rows, 2) == ["finished", "running", "not started"]
    assert rows[1][6].startswith("<= ") and rows[2][6].startswith("~")
    assert "1 not started, 1 running" in below
    running.send(signal.SIGKILL)
    running.wait()
    rows, _ = ask(place)
    assert column(rows, 2) == ["finished", "interrupted", "not started"]
    assert int(rows[1][3]) >= 2


def ask_while_running(place: Place) -> tuple[list[list[str]], str]:
    out = start(place, "--mode", "status").wait().ok().out
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]
    return rows, out.split("┘")[-1]


STOPPED = {"state": "interrupted", "epoch": 5, "seconds": 100.0, "stage": 1, "waiting_since": 4, "best_value": 0.5}


def test_time_left_comes_from_runs_of_other_seeds(place: Place) -> None:
    write_plan(place)
    tell(place, ESAPR_seed0={**STOPPED, "state": "finished", "seconds": 400.0}, ESAPR_seed1=STOPPED)
    rows, below = ask(place)
    assert rows[2][2] == "interrupted" and rows[2][6] == "~5:00"
    assert "1 not started" in below and "time left ~5:0" in below and "with 1 at once" in below


def test_time_left_comes_from_saturation(place: Place) -> None:
    write_plan(place)
    tell(place, ESAPR_seed1=STOPPED)
    # stages 8, 4, 2, 1: this and two more, of 2 epochs each, of which one has passed; 20 s an epoch
    assert ask(place)[0][2][6] == ">= 1:40"


def test_time_left_comes_from_runs_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "schema": 1,
        "label": "Pop",
        "model_code": "pop",
        "dataset_code": "file",
        "split": "leave_one_out",
        "filter_seen": True,
        "seed": 0,
        "options": {},
        "epochs": 4,
        "minutes": 2.0,
    }

    def write(name: str, data: str, interactions: int, **changes: Any) -> None:
        folder = tmp_path / "group" / name
        folder.mkdir(parents=True)
        data_record = {"name": data, "hash": "a", "users": 1, "items": 1, "interactions": interactions}
        (folder / "results.json").write_text(json.dumps({**record, "data": data_record, **changes}))

    monkeypatch.setattr(recorded_times, "RECORDED", tmp_path / "none")
    write("own", "a", 100)
    write("other", "b", 50, model_code="ease")
    write("cut", "a", 100, minutes=90.0, stopped_by="interrupted")

    def seconds(model: str, data: str, epochs: int | None = None) -> float | None:
        return RecordedTimes((tmp_path,)).seconds(model, data, "leave_one_out", "Pop", epochs)

    assert seconds("pop", "a") == 120 and seconds("pop", "a", 2) == 60
    assert seconds("pop", "b") == 60  # half as many interactions
    assert seconds("pop", "c") == 120 and seconds("bias", "a") is None


def test_a_failure_is_reported(place: Place) -> None:
    write_plan(place)
    tell(place, Pop_seed0={"state": "failed", "error": "out of memory"}, ESAPR_seed0="{")
    rows, below = ask(place)
    assert column(rows, 2) == ["failed", "failed", "not started"]
    assert "out of memory" in below and "is damaged" in below


def test_a_name_is_shown_as_it_stands(place: Place) -> None:
    write_plan(place)
    assert (
        "The runs of the comparison, in a [red]"
        in start(place, "--mode", "status", "--experiment_group", "a [red]").wait().ok().out
    )


def test_a_mistyped_option_is_an_error(place: Place) -> None:
    write_plan(place)
    refused = start(place, "--mode", "status", "--sedes", "1").wait()
    assert refused.code == 2 and "seeds" in refused.err
