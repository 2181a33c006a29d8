"""`runs.api`: train on a DataFrame, load the run again; and what building an experiment checks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import datasets
from common.errors import OptionsError, UserError
from datasets import SequenceData, Split
from runs.api import configure, load_run, train
from runs.experiment import load_split

SMALL = {
    "min_uc": 3,
    "test_negative_sampler_code": [],
    "num_threads": 1,
    "max_len": 8,
    "hidden_units": 8,
    "num_heads": 1,
    "num_epochs": 1,
}


def purchases() -> pd.DataFrame:
    rows = [(f"u{user}", f"i{(user * 3 + step * step) % 17}", step) for user in range(30) for step in range(8)]
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_on_a_table_and_load_the_run(here: Path) -> None:
    trained = train("train_sas_ce", purchases(), name="shop", **SMALL)
    assert trained.results["data"]["name"] == "shop" and trained.results["data"]["users"] == 30
    assert trained.folder.parent.name == "shop" and (trained.folder / "results.json").is_file()
    run = load_run(trained.folder)
    assert not run.experiment.model.training and run.experiment.config.run.seed == 0
    with torch.inference_mode():
        evaluation = run.experiment.evaluator.evaluate(run.experiment.model, run.experiment.device, "test")
    assert evaluation.metrics["full"]["NDCG@10"] == trained.results["test"]["full"]["NDCG@10"]


def test_a_finished_run_is_not_trained_again(here: Path) -> None:
    train("train_pop", purchases(), test_negative_sampler_code=[])
    with pytest.raises(UserError, match="holds a finished run"):
        train("train_pop", purchases(), test_negative_sampler_code=[])
    train("train_pop", purchases(), test_negative_sampler_code=[], overwrite=True)


def test_an_unknown_option_names_the_nearest_one(here: Path) -> None:
    with pytest.raises(OptionsError, match="did you mean `num_epochs`"):
        train("train_sas_ce", purchases(), num_epoch=3)
    with pytest.raises(UserError, match="is empty"):
        train("train_sas_ce", purchases().head(0))
    with pytest.raises(UserError, match="there is no run at"):
        load_run(here / "nowhere")
    assert not (here / "experiments").exists()


def test_a_killed_run_resumes_in_its_own_folder(here: Path) -> None:
    trained = train("train_sas_ce", purchases(), **SMALL)
    config = trained.folder / "config.yaml"
    status = trained.folder / "status.json"
    status.write_text(status.read_text().replace('"finished"', '"interrupted"'))
    moved = trained.folder.rename(here / "moved")
    assert train(moved / config.name, resume_training=True).folder == moved


def test_the_table_is_kept_in_the_templates_data_folder(here: Path) -> None:
    (here / "mine.yaml").write_text("extends: train_pop\nlocal_data_folder: elsewhere\nseed: 3\n")
    trained = train(here / "mine.yaml", purchases(), dataset_name="named", test_negative_sampler_code=[])
    assert trained.results["data"]["name"] == "named" and trained.results["seed"] == 3
    assert list((here / "elsewhere" / "tables").glob("*.parquet")) and not (here / "Data").exists()


def test_numbers_of_numpy_are_plain_options(here: Path) -> None:
    trained = train("train_pop", purchases(), test_negative_sampler_code=[], seed=np.int64(4))
    assert trained.results["seed"] == 4


def test_a_command_without_an_experiment_has_no_configuration() -> None:
    with pytest.raises(UserError, match="command datasets has no experiment"):
        configure(["--mode", "datasets"])


def test_a_split_that_leaks_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = datasets.split

    def leaking(data: SequenceData, code: str, options: object) -> Split:
        split = honest(data, code, options)  # type: ignore[arg-type]
        return replace(split, train_end=split.train_end + 1)  # the validation target

    monkeypatch.setattr(datasets, "split", leaking)
    with pytest.raises(UserError, match="leaks held-out interactions: validation"):
        load_split(configure(["--templates", "train_pop", "--dataset_code", "synthetic"]))


def test_a_changed_configuration_is_checked(here: Path) -> None:
    config = configure(["--templates", "train_sas_ce", "--dataset_code", "synthetic"])
    origin = config.origins["seed"]
    assert config.changed(origin, lr=0.5).values()["lr"] == 0.5 and config.values()["lr"] != 0.5
    with pytest.raises(OptionsError, match="lr"):
        config.changed(origin, lr=-1)
    with pytest.raises(OptionsError, match="no such option"):
        config.changed(origin, learning_rate=0.5)
