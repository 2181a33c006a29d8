"""Command tune: it finds the best options, resumes after a kill, and never uses the test set."""

import csv
import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import Ended, flags
from safetensors.torch import load_file
from small_runs import TINY, Place, hashes

import runs.tuning.results as results_module
from common.errors import UserError
from datasets import Split
from evaluation.evaluator import Evaluator
from options import Origin
from options.registries import TEMPLATES
from runs.api import configure, resolve_words
from runs.comparison.searches import found_before, with_found_options
from runs.config import ExperimentConfig
from runs.launchers import LaunchOptions
from runs.tuning import search as search_module
from runs.tuning import trial as trial_module
from runs.tuning.config import TuneConfig
from runs.tuning.folder import TuningFolder
from runs.tuning.results import SearchResult
from runs.tuning.search import search
from trainers.checkpoint import checksum

SPACE = "{lr: {log_uniform: [1e-3, 1e-1]}, hidden_units: {choice: [8, 16]}, num_blocks: {int: [1, 2]}}"
TUNE: dict[str, Any] = {
    **TINY,
    "mode": "tune",
    "model_code": "sas",
    "search": SPACE,
    "max_len": 8,
    "hidden_units": 8,
    "num_blocks": 1,
    "num_heads": 1,
    "train_batch_size": 32,
    "num_epochs": 3,
    "num_trials": 5,
    "startup_trials": 2,
    "pruner_warmup_epochs": 1,
    "checkpoint_seconds": 0,
    "test_negative_sampler_code": "popular",
}


def folder_of(place: Place) -> Path:
    """The folder of the search of TUNE."""
    return place.folder / "experiments" / "g" / "tune-run"


def rows(folder: Path) -> list[dict[str, str]]:
    """The table of trials, without the minutes."""
    with open(folder / "trials.csv", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key != "minutes"} for row in csv.DictReader(file)]


def left(folder: Path) -> dict[str, Any]:
    """What must not depend on interruptions of a search."""
    trials = [folder / f"trial-{row['trial']:0>4}" for row in rows(folder)]
    files = [folder / "best.yaml", *(trial / "tables" / "val_log.csv" for trial in trials)]
    weights = {trial.name: checksum(load_file(trial / "models" / "best.safetensors")) for trial in trials}
    return {"rows": rows(folder), **weights, **{str(path.relative_to(folder)): path.read_bytes() for path in files}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, launcher: Any) -> Place:
    """An uninterrupted search."""
    place = Place(tmp_path_factory.mktemp("tuned") / "here", launcher)
    place.first = place.run(TUNE).ok()  # type: ignore[attr-defined]
    return place


def config_of(**options: Any) -> TuneConfig:
    return TuneConfig.of(resolve_words(flags(**options)))


def in_process(**changes: Any) -> TuneConfig:
    """The configuration of a search in the current folder."""
    return config_of(**{**TUNE, "num_trials": 3, **changes})


def found(**changes: Any) -> SearchResult:
    return search(in_process(**changes))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the search of TUNE, in a new current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiments" / "g" / "tune-run"


def test_it_shows_the_trials_and_writes_the_winner(whole: Place) -> None:
    first: Ended = whole.first  # type: ignore[attr-defined]
    trials = rows(folder_of(whole))
    assert [row["trial"] for row in trials] == [str(number) for number in range(5)]
    assert {row["state"] for row in trials} == {"finished", "pruned"}
    assert (trials[0]["lr"], trials[0]["hidden_units"], trials[0]["num_blocks"]) == ("0.001", "8", "1"), "as it stands"
    best = max((row for row in trials if row["state"] == "finished"), key=lambda row: float(row["value"]))
    summary = json.loads((folder_of(whole) / "tuning.json").read_text())
    assert str(summary["best_trial"]) == best["trial"] and summary["value"] == float(best["value"])
    assert summary["trials"]["finished"] + summary["trials"]["pruned"] == 5
    assert f"{float(best['value']):.4f}" in first.out and "best.yaml" in first.out


def test_the_winner_is_a_template_of_the_same_run(whole: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole.folder)
    best = json.loads((folder_of(whole) / "tuning.json").read_text())["best_trial"]
    trial = yaml.safe_load((folder_of(whole) / f"trial-{best:04d}" / "config.yaml").read_text())
    run = configure(["--templates", str(folder_of(whole) / "best.yaml")])
    different = {key for key, value in run.values().items() if trial[key] != value}
    assert run.run.mode == "train"
    assert different <= {
        *(
            "experiment_group",
            "experiment_name",
            "resume_training",
            "tuned_by",
            "label",
            "checkpoint_seconds",
            "num_threads",
        ),
    }


def test_the_winner_s_results_say_how_it_was_found(whole: Place) -> None:
    best = str(folder_of(whole) / "best.yaml")
    done = whole.launcher.run(whole.folder, *flags(templates=best, num_threads=1, experiment_name="winner")).ok()
    results = json.loads((whole.folder / "experiments" / "synthetic" / "winner" / "results.json").read_text())
    summary = json.loads((folder_of(whole) / "tuning.json").read_text())
    assert results["tuned"] == {"folder": "experiments/g/tune-run", **summary}
    assert results["test"] and "test" in done.out
    assert results["validation"]["full"]["NDCG@10"] == summary["value"]
    tested = whole.launcher.run(whole.folder, *flags(mode="report", experiments="experiments")).ok()
    assert "runs without test values left out: 5" in tested.out.lower() and "trial" not in tested.out
    trials = flags(mode="report", experiments=str(folder_of(whole)), phase="validation")
    assert "trial 4" in whole.launcher.run(whole.folder, *trials).ok().out


def test_a_trial_is_an_ordinary_run_without_a_test(whole: Place) -> None:
    for row in rows(folder_of(whole)):
        trial = folder_of(whole) / f"trial-{int(row['trial']):04d}"
        results = json.loads((trial / "results.json").read_text())
        assert results["validation"] and "test" not in results
        assert (results["stopped_by"] == "pruned") == (row["state"] == "pruned")
        assert json.loads((trial / "status.json").read_text())["state"] == "finished"
        assert not (trial / "per_user.parquet").exists() and not (trial / "tables" / "test_log.csv").exists()


@pytest.mark.parametrize("model", [{}, {"model_code": "ease", "search": "{l2: {log_uniform: [1, 100]}}"}])
def test_a_search_never_reads_the_test_set(here: Path, monkeypatch: pytest.MonkeyPatch, model: dict[str, Any]) -> None:
    asked = Evaluator.heldout

    def refuse(self: Evaluator, phase: Any) -> Any:
        assert phase == "validation", "the test set was asked for"
        return asked(self, phase)

    monkeypatch.setattr(Evaluator, "heldout", refuse)
    base = {key: value for key, value in TUNE.items() if not model or key in TINY or key in ("mode", "num_trials")}
    done = search(config_of(**{**base, "num_trials": 3, **model}))
    assert done.best is not None and len(done.trials) == 3


def test_a_former_name_can_be_searched(here: Path) -> None:
    """The study keeps the name; runs and the winner's template have the current one."""
    base = {key: value for key, value in TUNE.items() if key in TINY or key in ("mode", "num_trials")}
    config = config_of(**{**base, "num_trials": 2, "model_code": "als", "search": "{factors: {choice: [4, 8]}}"})
    done = search(config)
    assert set(done.values) == {"factors"} and len(done.trials) == 2
    template = yaml.safe_load((done.folder / "best.yaml").read_text())
    assert template["hidden_units"] == done.values["factors"] and "factors" not in template
    widths = [yaml.safe_load(file.read_text())["hidden_units"] for file in done.folder.glob("trial-*/config.yaml")]
    assert done.values["factors"] in widths and set(widths) <= {4, 8}


def test_other_test_items_change_nothing(here: Path) -> None:
    def write(shift: int) -> None:
        lines = []
        for user in range(60):
            history = [(user * 7 + step * step) % 40 for step in range(11)]
            history = [*dict.fromkeys(history), 100 + (user + shift) % 6]  # the last one is for the test
            lines += [f"{user},{item},{time}" for time, item in enumerate(history)]
        Path("taken.csv").write_text("user,item,timestamp\n" + "\n".join(lines) + "\n")

    data = {"dataset_code": "file", "dataset_path": "taken.csv", "min_uc": 3}
    base = {key: value for key, value in TUNE.items() if not key.startswith("synthetic")}
    tables = []
    for shift in range(2):
        write(shift)
        done = search(config_of(**{**base, **data, "experiment_name": f"run{shift}", "num_trials": 3}))
        folder = here.parent / f"tune-run{shift}"
        logs = [(folder / f"trial-000{n}" / "tables" / "val_log.csv").read_text() for n in range(3)]
        tables.append(([row[:4] + row[5:] for row in done.table()], logs))
    assert tables[0] == tables[1]


@pytest.mark.parametrize("part", [0.05, 0.4, 0.8])
def test_a_killed_search_ends_like_an_uninterrupted_one(place: Place, whole: Place, part: float) -> None:
    changes = whole.first.changes  # type: ignore[attr-defined]
    assert place.run(TUNE, die_at=max(1, int(changes * part))).code == -signal.SIGKILL
    assert place.run(TUNE, die_at=max(1, int(changes * (1 - part) / 2))).code == -signal.SIGKILL
    place.run(TUNE).ok()
    assert left(folder_of(place)) == left(folder_of(whole))


def test_a_search_resumes_after_ctrl_c(place: Place, whole: Place) -> None:
    half = whole.first.changes // 2  # type: ignore[attr-defined]
    ended = place.start(TUNE, die_at=half, die_of=signal.SIGINT).wait()
    assert ended.code == 130 and "interrupted" in ended.out + ended.err
    place.run(TUNE).ok()
    assert left(folder_of(place)) == left(folder_of(whole))


def test_a_finished_search_only_adds_more_trials(place: Place, whole: Place) -> None:
    shutil.copytree(whole.folder / "experiments", place.folder / "experiments")
    before = hashes(folder_of(place) / "trial-0004")
    place.run(TUNE).ok()
    assert not (folder_of(place) / "trial-0005").exists()
    place.run({**TUNE, "num_trials": 7}).ok()
    assert len(rows(folder_of(place))) == 7 and hashes(folder_of(place) / "trial-0004") == before
    assert rows(folder_of(place))[:5] == rows(folder_of(whole))


@pytest.mark.slow
def test_trials_run_in_parallel(place: Place) -> None:
    place.run({**TUNE, "max_parallel": 2}).ok()
    trials = rows(folder_of(place))
    assert len(trials) == 5 and {row["state"] for row in trials} <= {"finished", "pruned"}
    place.run(TUNE).ok()
    assert rows(folder_of(place)) == trials


def test_a_search_belongs_to_its_options_and_data(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(num_trials=1)
    with pytest.raises(UserError, match=r"hidden_units: 8 then, 16 now.*--overwrite true"):
        found(num_trials=1, hidden_units=16)
    load_split = search_module.load_split
    monkeypatch.setattr(search_module, "load_split", lambda config: with_other_data(load_split(config)))
    with pytest.raises(UserError, match="the data has changed"):
        found(num_trials=1)
    monkeypatch.undo()
    monkeypatch.chdir(here.parents[2])
    again = found(num_trials=2, hidden_units=16, overwrite=True)
    assert len(again.trials) == 2 and again.trials[0].options["hidden_units"] == "16"


def with_other_data(split: Split) -> Split:
    return replace(split, data=replace(split.data, hash="other"))


def test_failed_trials_are_reported_and_replaced(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = trial_module.train

    def fail_sometimes(run: ExperimentConfig, rules: Any) -> Any:
        if run.run.experiment_name in ("trial-0001", "trial-0002"):
            raise UserError("the loss became nan")
        return train(run, rules)

    monkeypatch.setattr(trial_module, "train", fail_sometimes)
    done = found(num_trials=3, pruner="none")
    assert [trial.state for trial in done.trials] == ["finished", "failed", "failed", "finished", "finished"]
    assert done.trials[1].error == "the loss became nan"


def test_a_search_whose_trials_all_fail_ends(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: ExperimentConfig, rules: Any) -> Any:
        raise UserError("no memory")

    monkeypatch.setattr(trial_module, "train", fail)
    with pytest.raises(UserError, match="the last 5 trials failed, so the search was stopped: no memory"):
        found(num_trials=20)
    assert (here / "trials.csv").read_text().count("no memory") == 5


def test_tune_minutes_ends_a_search(here: Path) -> None:
    done = found(num_trials=50, tune_minutes=1e-6)
    assert len(done.trials) == 1


def test_hyperband_and_other_storages(here: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    done = found(pruner="hyperband", storage=url, num_epochs=9, num_trials=4)
    assert len(done.trials) == 4 and (tmp_path / "elsewhere.db").exists() and not (here / "study.db").exists()
    assert json.loads((here / "tuning.json").read_text())["storage"] == url
    with pytest.raises(UserError, match=r"holds trials of a study that sqlite:.*study\.db doesn't have"):
        found(pruner="hyperband", num_epochs=9, num_trials=4)
    with pytest.raises(UserError, match=r"storage none://me:\*\*\*@there can't be used") as caught:
        found(storage="none://me:secret@there", experiment_name="other")
    assert "secret" not in str(caught.value)


def test_a_pilot_goes_through_every_step(here: Path) -> None:
    done = found(pilot=True, num_trials=20)
    assert len(done.trials) == 2 and done.files[-1].name == "best.yaml"
    again = found(pilot=True, num_trials=20, write_template="from_a_pilot")
    assert len(again.trials) == 2 and again.files == done.files and not (TEMPLATES / "from_a_pilot.yaml").exists()


def test_write_template_replaces_no_other_template(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = here.parents[2] / "templates"
    templates.mkdir()
    monkeypatch.setattr(results_module, "TEMPLATES", templates)
    for _ in range(2):  # its own it may replace
        done = found(num_trials=1, write_template="sas_tuned")
    assert done.files[-1] == templates / "sas_tuned.yaml"
    assert configure(["--templates", str(done.files[-1])]).values()["lr"] == done.values["lr"]
    with pytest.raises(UserError, match="template sas_tuned exists already"):
        found(num_trials=1, write_template="sas_tuned", experiment_name="another")


def test_template_tuned_is_the_winner_with_any_seed(here: Path) -> None:
    runs = (in_process(num_trials=2, tune_seed=5), in_process(num_trials=2, tune_seed=5, seed=3))
    assert found_before(runs[0]) is None
    (one, other), failed = with_found_options(runs, LaunchOptions())
    assert not failed and found_before(runs[1]) == other
    assert (one.run.seed, other.run.seed, one.run.mode) == (0, 3, "train")
    assert one.run.tuned_by == other.run.tuned_by == "experiments/g/tune-run"
    assert all(one.values()[key] == other.values()[key] for key in ("lr", "hidden_units", "num_blocks"))
    trial = yaml.safe_load((here / "trial-0000" / "config.yaml").read_text())
    assert trial["seed"] == 5 and "search" not in trial


def test_a_search_folder_is_named_after_its_options() -> None:
    def name(**changes: Any) -> str:
        return TuningFolder.of(in_process(experiment_name=None, **changes)).path.name

    assert name() == name(num_trials=9, storage="sqlite://", max_parallel=2) != name(num_epochs=5)
    assert name(search=SPACE.replace("16", "32")) != name()


def test_a_run_of_a_search_has_the_search_s_options() -> None:
    run = in_process().run_with(Origin.program("here"), lr=0.5)
    assert run.run.mode == "train" and run.values()["lr"] == 0.5 and str(run.origins["lr"]) == "here"
    assert str(run.origins["max_len"]) == "--max_len" and "search" not in run.values()


def test_overwriting_a_search_removes_its_trials_alone(here: Path) -> None:
    found(num_trials=1)
    for name in ("my-trial-notes", "trial-run", "old-trial-0000"):
        (here / name).mkdir()
        (here / name / "kept.txt").touch()
    found(num_trials=1, overwrite=True)
    assert sorted(path.parent.name for path in here.glob("*/kept.txt")) == [
        "my-trial-notes",
        "old-trial-0000",
        "trial-run",
    ]


def test_a_search_from_before_an_option_existed_resumes(here: Path) -> None:
    found(num_trials=1)
    config = here / "config.yaml"
    values = yaml.safe_load(config.read_text())
    del values["adam_beta2"]
    config.write_text(yaml.safe_dump(values))
    assert len(found(num_trials=2).trials) == 2
