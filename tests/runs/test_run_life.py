"""The files of a run, and what a second command may do to them."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import ROOT, flags
from small_runs import TINY_VAE, Place, hashes, outcome

from common.locks import locked
from runs.api import configure
from runs.folder_names import run_folder
from runs.run_options import RunOptions
from trainers.checkpoint import read_tensors, write_tensors

PROMISED = [
    "config.yaml",
    "status.json",
    "tables/train_log.csv",
    "tables/val_log.csv",
    "tables/test_log.csv",
    "models/best.safetensors",
    "results.json",
    "per_user.parquet",
    "log.txt",
]
KEYS = {
    *("label", "template", "model_code", "dataset_code", "split", "filter_seen", "seed", "options", "data", "device"),
    *("best_epoch", "epochs", "minutes", "peak_memory_mib", "parameters", "command", "versions", "validation", "test"),
}


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_run_writes_every_documented_file(finished: Place) -> None:
    missing = [name for name in PROMISED if not (finished.run_folder / name).is_file()]
    assert not missing
    assert list((finished.run_folder / "models").glob("recent-*.safetensors"))
    assert list((finished.run_folder / "tensorboard").glob("events*"))
    assert finished.status()["state"] == "finished"


def test_results_say_how_they_were_made(finished: Place) -> None:
    results = finished.results()
    assert results.keys() >= KEYS
    assert results["data"].keys() >= {"name", "hash", "users", "items", "interactions"}
    assert results["test"].keys() == results["validation"].keys() == {"full", "popular", "random"}
    for candidates in results["test"].values():
        assert {"NDCG@10", "Recall@10", "MRR@10", "HR@1"} <= candidates.keys()
    assert results["filter_seen"] is False  # synthetic users repeat
    assert results["options"]["model_code"] == "vae"
    assert results["command"].startswith("python main.py --dataset_code synthetic")
    assert results["parameters"] > 0 and results["peak_memory_mib"] > 0
    assert results["epochs"] >= results["best_epoch"] >= 1


def test_the_tables_and_per_user_values_agree_with_the_results(finished: Place) -> None:
    results, tables = finished.results(), finished.run_folder / "tables"
    validation = table(tables / "val_log.csv")
    assert [int(row["epoch"]) for row in validation] == list(range(1, results["epochs"] + 1))
    assert len(table(tables / "train_log.csv")) == results["epochs"]
    column = [float(row["full/NDCG@10"]) for row in validation]
    assert int(np.argmax(column)) + 1 == results["best_epoch"]
    assert max(column) == results["validation"]["full"]["NDCG@10"]
    (tested,) = table(tables / "test_log.csv")
    assert float(tested["popular/Recall@10"]) == results["test"]["popular"]["Recall@10"]

    users = pd.read_parquet(finished.run_folder / "per_user.parquet")
    assert len(users) == results["data"]["users"] and users["user"].is_unique
    for name in ("full/NDCG@10", "popular/Recall@10", "random/MRR"):
        candidates, metric = name.split("/")
        assert users[name].astype("float64").mean() == pytest.approx(results["test"][candidates][metric], rel=1e-6)


def test_its_options_are_a_template(finished: Place, place: Place) -> None:
    given = yaml.safe_load((finished.run_folder / "config.yaml").read_text())
    assert given["max_len"] == 8 and given["hidden_layers"] == [16]
    again = place.launcher.run(place.folder, "--templates", finished.run_folder / "config.yaml").ok()
    assert "epoch 1 (recover_len 8)" in again.err, "no line per epoch where the output is no terminal"
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_repeating_a_command_destroys_nothing(place: Place) -> None:
    place.run(num_epochs=2).ok()
    before = hashes(place.folder)
    again = place.run(num_epochs=2)
    assert again.code == 1
    assert "--overwrite true" in again.err and "--experiment_name" in again.err
    resumed = place.run(num_epochs=2, resume_training=True)
    assert resumed.code == 1 and "finished" in resumed.err
    assert hashes(place.folder) == before

    place.run(num_epochs=3, overwrite=True).ok()
    assert place.results()["epochs"] == 3
    assert len(table(place.run_folder / "tables" / "train_log.csv")) == 3


def test_a_name_in_use_is_refused_with_the_differences(place: Place) -> None:
    place.run(num_epochs=1, experiment_name="mine").ok()
    before = hashes(place.folder)
    same = place.run(num_epochs=1, experiment_name="mine")
    assert same.code == 1 and "holds a finished run" in same.err and "another --seed" not in same.err
    for change in ({"seed": 5}, {"seed": 5, "pretrained_weights": None}):
        other = place.run(num_epochs=1, experiment_name="mine", **change)
        assert other.code == 1 and "holds a finished run with other options (seed: 0 then, 5 now)" in other.err
    assert hashes(place.folder) == before


def test_a_command_that_fails_overwrites_nothing(place: Place) -> None:
    place.run(num_epochs=1).ok()
    before = hashes(place.folder)
    refused = place.run(num_epochs=1, overwrite=True, test_negative_sample_size=10_000)
    assert refused.code == 1 and "10000 negatives" in refused.err
    assert hashes(place.folder) == before
    weights = {"overwrite": True, "pretrained_weights": place.run_folder}
    place.run(num_epochs=2, **weights).ok()  # its own weights, read before they go
    assert place.results()["epochs"] == 2


def test_resume_goes_before_overwrite(finished: Place, place: Place) -> None:
    assert place.run(die_at=120, overwrite=True).code == -9
    config = yaml.safe_load((place.run_folder / "config.yaml").read_text())
    assert (config["overwrite"], config["resume_training"]) == (False, False)
    resumed = place.run(overwrite=True, resume_training=True).ok()
    assert "resumed after epoch" in resumed.err
    ours, theirs = outcome(place.run_folder), outcome(finished.run_folder)
    ours.pop("options"), theirs.pop("options")
    assert ours == theirs
    again = place.launcher.run(place.folder, "--templates", place.run_folder / "config.yaml")
    assert again.code == 1 and "holds a finished run" in again.err


def test_damaged_files_of_a_run_are_named(place: Place) -> None:
    for name, content in (("config.yaml", "{a"), ("status.json", "[1]")):
        assert place.run(die_at=120, overwrite=True).code == -9
        (place.run_folder / name).write_text(content)
        refused = place.run(resume_training=True)
        assert refused.code == 1 and f"{name} is damaged" in refused.err and "Traceback" not in refused.err
        (place.run_folder / "status.json").unlink()


def test_an_unfinished_run_is_left_alone_by_default(place: Place) -> None:
    assert place.run(die_at=120).code == -9
    before = hashes(place.folder)
    again = place.run()
    assert again.code == 1 and "--resume_training true" in again.err
    changed = place.run(resume_training=True, lr=0.5, max_len=6)
    assert changed.code == 1
    assert "lr: 0.01 then, 0.5 now" in changed.err and "max_len: 8 then, 6 now" in changed.err
    assert hashes(place.folder) == before


def test_the_log_starts_with_messages_about_the_data(place: Place) -> None:
    rows = [f"{u},{(u + i) % 20},{1 + i % 5}\n" for u in range(20) for i in range(10)]
    (place.folder / "mine.2024.csv").write_text("".join(rows))
    data = {"dataset_code": "file", "dataset_path": "mine.2024.csv", "min_rating": 2, "test_negative_sample_size": 1}
    base = {key: value for key, value in TINY_VAE.items() if not key.startswith("synthetic_")}
    for _ in range(2):  # prepared, then from the cache
        place.run(base, overwrite=True, filter_seen=False, num_epochs=1, **data).ok()
        log = (place.run_folder / "log.txt").read_text()
        assert "is read as text separated by ','" in log and "rated below 2 (min_rating): 160" in log
    assert place.results()["data"]["name"] == "mine.2024"


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "ESAPR"),
        ({"weight_type": "constant"}, "ESAPR-tr"),
        ({"weight_type": "constant", "train_transfer": False}, "ESAPR-net"),
        ({"train_transfer": False}, "ESAPR-variant"),
        ({"label": "mine"}, "mine"),
    ],
)
def test_a_default_label_names_the_variant(changes: dict[str, Any], label: str) -> None:
    given = [f"--{key}={str(value).lower()}" for key, value in changes.items()]
    assert configure(["--templates", "train_vae", *given]).label == label


def test_two_processes_on_one_folder(finished: Place, place: Place) -> None:
    first, second = place.start(), place.start()
    ended = [first.wait(), second.wait()]
    assert sorted(e.code for e in ended) == [0, 1]
    refused = ended[0] if ended[0].code else ended[1]
    assert "in use by another process" in refused.err or "holds" in refused.err
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_a_folder_in_use_is_reported_as_that(place: Place) -> None:
    assert place.run(die_at=120).code == -9
    before = hashes(place.folder)
    with locked(place.run_folder):
        for asked in ({}, {"resume_training": True}, {"overwrite": True}):
            refused = place.run(**asked)
            assert refused.code == 1 and "in use by another process" in refused.err
            assert "--resume_training" not in refused.err and "--overwrite" not in refused.err
    assert hashes(place.folder) == before


def test_different_options_have_different_folders(place: Place) -> None:
    base = {key: value for key, value in TINY_VAE.items() if not key.startswith("experiment_")}
    for changes in ({}, {"seed": 1}, {"lr": 0.02}):
        place.run({**base, "num_epochs": 1}, **changes).ok()
    assert len(list((place.folder / "experiments").glob("*/*/results.json"))) == 3
    found = place.folder.glob("experiments/*/*/results.json")
    values = [json.loads(path.read_text())["test"]["full"]["MRR"] for path in found]
    assert len(set(values)) == 3


def test_a_derived_name_is_stable_and_names_the_file() -> None:
    def name(*given: str) -> str:
        return run_folder(configure(["--templates", "train_vae", *given])).path.name

    def of_file(*given: str) -> str:
        return name("--dataset_code", "file", "--experiment_group", "g", *given)

    known = name()
    assert known == name("--filter_seen", "null") and known != name("--max_len", "7")
    here = of_file("--dataset_path", "d1/buys.txt")
    assert here == of_file("--dataset_path", "/elsewhere/buys.txt")
    assert here == of_file("--dataset_path", "x.csv", "--dataset_name", "buys")
    assert here != of_file("--dataset_path", "d1/sales.txt")

    class WithNew(RunOptions):
        new_option: int = 3

    config = configure(["--templates", "train_vae"])
    later = replace(config, run=WithNew(**config.run.model_dump()))
    assert run_folder(later).path.name == known
    changed = replace(config, run=WithNew(**config.run.model_dump(), new_option=4))
    assert run_folder(changed).path.name != known


def test_a_run_resumes_with_another_path_to_its_file(place: Place) -> None:
    rows = [f"{user} {item}\n" for user in range(30) for item in range(user % 7, user % 7 + 12)]
    (place.folder / "buys.txt").write_text("".join(rows))
    left_out = ("synthetic_", "experiment_")
    base = {key: value for key, value in TINY_VAE.items() if not key.startswith(left_out)}
    base |= {"dataset_code": "file", "num_epochs": 2, "test_negative_sample_size": 1}
    assert place.run(base, dataset_path="buys.txt", die_at=70).code == -9
    (unfinished,) = place.folder.glob("experiments/buys/*")
    path = place.folder.resolve() / "buys.txt"
    other = place.run(base, dataset_path=path, max_len=6, resume_training=True).ok()
    assert (
        f"have other options: {unfinished.relative_to(place.folder)}. " in other.err
        and "starting a new one" in other.err
    )
    resumed = place.run(base, dataset_path=path, resume_training=True).ok()
    assert "starting a new one" not in resumed.err and (unfinished / "results.json").is_file()
    (place.folder / "other").mkdir()
    (place.folder / "other" / "buys.txt").write_text("".join(rows[::-1]))
    refused = place.run(base, dataset_path="other/buys.txt")
    assert refused.code != 0 and "a finished run on the data in buys.txt" in refused.err
    assert "--dataset_name" in refused.err


@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluating_again_gives_the_same_metrics(finished: Place, place: Place, command: str) -> None:
    phase = {"validate": "validation", "test": "test"}[command]
    label = "again [/v2] [red]"  # no markup of the table's
    shown = place.run(mode=command, pretrained_weights=finished.run_folder, label=label).ok().out
    assert label in " ".join(shown.split())
    measured = json.loads((place.run_folder / "evaluation" / f"{phase}.json").read_text())
    assert measured[phase] == finished.results()[phase]


def test_other_evaluations_of_a_run_have_their_own_files(finished: Place, place: Place) -> None:
    shutil.copytree(finished.folder / "experiments", place.folder / "experiments")
    for metric_ks in ([1, 10], [1, 10, 20], [1, 10], [1, 10, 20]):
        place.run(mode="test", metric_ks=metric_ks).ok()
    measured = {path.name: json.loads(path.read_text()) for path in (place.run_folder / "evaluation").glob("*.json")}
    twenties = {name: "NDCG@20" in found["test"]["full"] for name, found in measured.items()}
    assert twenties == {"test.json": False, "test-2.json": True}
    for circumstances in ({"num_threads": 2}, {"verbose": True}, {"pretrained_weights": place.run_folder.resolve()}):
        place.run(mode="test", metric_ks=[1, 10, 20], **circumstances).ok()
    names = {path.name for path in (place.run_folder / "evaluation").iterdir()}
    assert names == {f"test{number}{kind}" for number in ("", "-2") for kind in (".json", ".per_user.parquet")}
    of_users = pd.read_parquet(place.run_folder / "evaluation" / "test-2.per_user.parquet")
    assert of_users["full/NDCG@20"].mean() == pytest.approx(
        measured["test-2.json"]["test"]["full"]["NDCG@20"], rel=1e-6
    )


def test_weights_are_not_evaluated_on_other_data(finished: Place, place: Place) -> None:
    refused = place.run(mode="test", pretrained_weights=finished.run_folder, synthetic_seed=9)
    assert refused.code == 1 and "was not trained on this version of synthetic" in refused.err
    assert not (place.run_folder / "evaluation").exists()


def test_a_run_s_config_evaluates_its_own_best_weights(finished: Place, place: Place) -> None:
    place.run(pretrained_weights=finished.run_folder, num_epochs=2).ok()
    assert place.results()["test"] != finished.results()["test"]
    config = place.run_folder / "config.yaml"
    again = place.launcher.start(place.folder, "--templates", str(config), "--mode", "test").wait().ok()
    measured = json.loads((place.run_folder / "evaluation" / "test.json").read_text())
    assert measured["test"] == place.results()["test"] and again.code == 0


NAMED = ("experiment_group", "experiment_name")


@pytest.mark.parametrize("named", [True, False])
def test_a_renamed_run_is_found_by_its_own_config(finished: Place, place: Place, named: bool) -> None:
    base = {key: value for key, value in TINY_VAE.items() if named or key not in NAMED}
    assert place.run(base, die_at=160).code == -9
    (old,) = (path.parent for path in place.folder.glob("experiments/*/*/config.yaml"))
    kept = old.rename(place.folder / "kept")
    resumed = place.launcher.run(place.folder, "--templates", "kept/config.yaml", "--resume_training", "true").ok()
    assert "resumed after epoch" in resumed.err and not old.exists()
    ours, theirs = outcome(kept), outcome(finished.run_folder)
    ours.pop("options"), theirs.pop("options")
    assert ours == theirs
    test = ("--templates", "kept/config.yaml", "--mode", "test")
    place.launcher.run(place.folder, *test).ok()
    assert json.loads((kept / "evaluation" / "test.json").read_text())["test"] == finished.results()["test"]
    elsewhere = place.launcher.run(place.folder, *test, "--experiment_name", "other")
    assert elsewhere.code == 1 and "no weights at" in elsewhere.err and "other" in elsewhere.err
    place.launcher.run(place.folder, *test, "--experiment_name", "other", "--pretrained_weights", "kept").ok()
    assert not old.exists()


def test_when_a_config_s_own_folder_is_not_used(finished: Place, place: Place) -> None:
    config, before = finished.run_folder / "config.yaml", hashes(finished.run_folder)
    given = ("--templates", config, "--resume_training", "true")
    place.launcher.run(place.folder, *given, "--pilot", "true").ok()
    refused = place.launcher.run(place.folder, *given)
    assert refused.code == 1 and f"{finished.run_folder} holds a finished run" in refused.err
    place.launcher.run(place.folder, "--templates", config, "--num_epochs", "1").ok()
    plan = {"mode": "compare", "runs": [{"template": str(config), "overrides": {"num_epochs": 1}}], "seeds": [3, 4]}
    (place.folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    place.launcher.run(place.folder, "--templates", "plan.yaml", "--resume_training", "true").ok()
    assert hashes(finished.run_folder) == before


def test_evaluating_with_other_options_gives_a_warning(finished: Place, place: Place) -> None:
    measured = place.run(mode="test", pretrained_weights=finished.run_folder, weight_type="linear").ok()
    assert "weight_type exp_stair there, linear here" in measured.err


def test_training_starts_from_pretrained_weights(finished: Place, place: Place) -> None:
    place.run(pretrained_weights=finished.run_folder, num_epochs=1, lr=1e-9).ok()
    ours, theirs = place.results()["validation"]["full"], finished.results()["validation"]["full"]
    assert ours["NDCG@10"] == pytest.approx(theirs["NDCG@10"], abs=1e-3)


def test_a_run_resumes_without_its_pretrained_weights(finished: Place, place: Place) -> None:
    weights = place.folder / "begun_with.safetensors"
    changes = {"pretrained_weights": weights, "num_epochs": 3}
    shutil.copy(finished.run_folder / "models" / "best.safetensors", weights)
    place.run(**changes).ok()
    whole = outcome(place.run_folder)
    shutil.rmtree(place.run_folder)
    assert place.run(die_at=60, **changes).code == -9
    assert list((place.run_folder / "models").glob("recent-*.safetensors"))
    weights.unlink()
    place.run(**changes, resume_training=True).ok()
    assert outcome(place.run_folder) == whole
    refused = place.run(**changes, overwrite=True)
    assert refused.code == 1 and f"no weights at {weights}" in refused.err


def test_weights_are_not_tested_on_their_training_ratings(place: Place) -> None:
    rated = {"templates": "train_bias", "dataset_code": "file", "dataset_path": place.folder / "rated.csv"}
    rows = [f"{user},{item},{1 + (user * item) % 5}" for user in range(30) for item in range(12)]
    (place.folder / "rated.csv").write_text("\n".join(["user_id,item_id,rating", *rows]) + "\n", encoding="utf-8")
    own = {**rated, "experiment_group": "g", "experiment_name": "run", "num_threads": 1}
    trained = place.launcher.run(place.folder, *flags(**own, seed=3)).ok()
    assert "of epoch 1: ratings RMSE 0." in trained.err + trained.out or "ratings RMSE 1." in trained.err + trained.out
    test = {**own, "mode": "test", "experiment_name": "tested", "pretrained_weights": place.run_folder}
    refused = place.launcher.run(place.folder, *flags(**test))
    assert refused.code == 1 and "use --split_seed 3" in refused.err
    place.launcher.run(place.folder, *flags(**test, split_seed=3)).ok()


def test_weights_are_refused_under_another_split(finished: Place, place: Place) -> None:
    """The ratio split tests on interactions that leave-one-out trains on; weights without a split are accepted."""
    ratio = {"split": "ratio", "test_share": 0.4, "targets": "next", "num_epochs": 1}
    for changes in ({"mode": "test"}, {}):
        refused = place.run(**changes, **ratio, pretrained_weights=finished.run_folder)
        assert refused.code == 1 and "split leave_one_out, not ratio" in refused.err
    place.run(**ratio).ok()
    measure = {**ratio, "mode": "test", "pretrained_weights": place.run_folder}
    place.run(**{**measure, "targets": "all"}).ok()  # trained on the same
    other = place.run(**{**measure, "test_share": 0.3})
    assert other.code == 1 and "split ratio, with other options" in other.err
    best = read_tensors(place.run_folder / "models" / "best.safetensors")
    older = {key: best.state[key] for key in ("epoch", "data_hash", "split_drawn_at")}
    write_tensors(place.folder / "older.safetensors", best.tensors, older)
    place.run(**{**measure, "test_share": 0.3, "pretrained_weights": "older.safetensors"}).ok()


def test_weights_of_another_model_are_refused(finished: Place, place: Place) -> None:
    refused = place.run(mode="test", pretrained_weights=finished.run_folder, latent_size=9)
    assert refused.code == 1 and "weights of another model" in refused.err
    missing = place.run(mode="test", pretrained_weights="nowhere")
    assert missing.code == 1 and "no weights at nowhere" in missing.err


@pytest.mark.parametrize("damage", ["truncated", "tampered"])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one(finished: Place, place: Place, damage: str) -> None:
    assert place.run(die_at=160).code == -9
    newest = max((place.run_folder / "models").glob("recent-*.safetensors"))
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    else:
        content[-7] ^= 1
    newest.write_bytes(content)
    resumed = place.run(resume_training=True).ok()
    assert newest.name in resumed.err
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_a_loss_of_nan_names_the_model(place: Place) -> None:
    failed = place.run(lr=1e30, clip_grad_norm=None)
    assert failed.code == 1
    assert "vae" in failed.err and "lower l" in failed.err and "Traceback" not in failed.err
    assert place.status()["state"] == "failed"


def test_a_pilot_takes_seconds(place: Place) -> None:
    pilot = place.run_folder.with_name(f"pilot-{place.run_folder.name}")
    place.run(pilot=True, max_len=16).ok()
    assert json.loads((pilot / "results.json").read_text())["epochs"] == 5
    stages = [row["stage"] for row in table(pilot / "tables" / "train_log.csv")]
    assert stages == [f"recover_len {n}" for n in (16, 8, 4, 2, 1)]
    place.run(pilot=True, max_len=16).ok()  # a pilot makes room for the next


def test_a_pilot_leaves_the_run_of_its_name_alone(place: Place) -> None:
    place.run(num_epochs=1).ok()
    before = hashes(place.run_folder)
    place.run(num_epochs=1, pilot=True).ok()
    assert hashes(place.run_folder) == before


def test_statistics_are_printed(place: Place) -> None:
    base = {key: TINY_VAE[key] for key in ("dataset_code", "synthetic_users", "synthetic_items", "synthetic_length")}
    shown = place.run(base, mode="stats").ok().out.lower()
    for word in ("users", "items", "interactions", "density"):
        assert word in shown
    assert not (place.folder / "experiments").exists()


def test_a_real_command_line(place: Place) -> None:
    """Other tests fork a process that has imported everything; this one runs `python main.py`."""
    command = [sys.executable, str(ROOT / "main.py"), *flags(**TINY_VAE, num_epochs=1)]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "NDCG@10" in done.stdout
    assert place.results()["epochs"] == 1


def test_a_run_lies_in_no_other_run(finished: Place, place: Place) -> None:
    shutil.copytree(finished.folder / "experiments", place.folder / "experiments")
    ended = place.run(experiment_group="g/run", experiment_name="models", overwrite=True)
    assert ended.code == 1 and "is inside the folder of the run experiments/g/run" in ended.err
    assert hashes(place.run_folder) == hashes(finished.run_folder)


def test_a_pilot_never_replaces_a_real_run(finished: Place, place: Place) -> None:
    shutil.copytree(finished.folder / "experiments", place.folder / "experiments")
    real = place.run_folder.rename(place.run_folder.with_name("pilot-run"))
    before = hashes(real)
    ended = place.run(pilot=True)
    assert ended.code == 1 and "holds a run that isn't a pilot" in ended.err
    assert hashes(real) == before


@pytest.mark.parametrize("change", [2, 3, 4, 7])
def test_an_overwrite_that_is_killed_leaves_no_finished_run(finished: Place, place: Place, change: int) -> None:
    shutil.copytree(finished.folder / "experiments", place.folder / "experiments")
    shutil.copytree(finished.folder / "Data", place.folder / "Data")
    place.run(overwrite=True, die_at=change)
    if (place.run_folder / "status.json").exists() and place.status()["state"] == "finished":
        assert outcome(place.run_folder) == outcome(finished.run_folder)
    place.run(resume_training=True, overwrite=True).ok()
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_a_run_begins_with_a_box_and_ends_with_its_files(place: Place) -> None:
    done = place.run(num_epochs=1)
    lines = done.err.splitlines()
    assert any(line.startswith("-- ") for line in lines) and any(line.startswith("  protocol ") for line in lines)
    assert any(line.startswith("  data ") and "training windows" in line for line in lines)
    assert done.err.count("drop users and items with few rows") == 1  # the funnel is shown once
    assert "Files: experiments/g/run (results.json" in done.out and "--mode recommend --pretrained_weights" in done.out
