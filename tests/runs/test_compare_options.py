"""A comparison resolves to one experiment per run, dataset and seed."""

from pathlib import Path

import pytest
from fake_registries import fake_registries

from options import OptionsError, Registries, Resolved, parse
from runs.commands import load_registries
from runs.comparison.config import CompareConfig, experiment_of

QUICK = """\
# a comparison
mode: compare
runs: [train_vae, {template: pop, label: Popularity, overrides: {smoothing: 1.0, clip: 7}}]
seeds: [0, 1]
datasets: [ml-20m, {dataset_code: file, dataset_path: x.csv, min_uc: 2}]
dropout: 0.1
clip: 6
"""


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "train_vae.yaml").write_text("model_code: vae\ndropout: 0.4\nlr: 5e-3\nlabel: VAE\nseed: 5\n")
    (folder / "pop.yaml").write_text("mode: train\nmodel_code: pop\nexperiment_name: kept\n")
    (folder / "bad.yaml").write_text("model_code: vae\ndropot: 0.4\n")
    (folder / "quick.yaml").write_text(QUICK)
    (folder / "small.yaml").write_text("mode: compare\nruns: [train_vae, pop]\n")
    (folder / "two.yaml").write_text("mode: compare\nruns: [pop]\nseeds: [1]\nseed: 2\n")
    return fake_registries(folder)


def ask(registries: Registries, line: str) -> Resolved:
    return parse(line.split(), registries)


def column(request: Resolved, key: str) -> list[object]:
    return [run.values.get(key) for run in request.runs]


def faults(registries: Registries, line: str) -> str:
    with pytest.raises(OptionsError) as caught:
        ask(registries, line)
    return str(caught.value)


def test_a_run_per_entry_dataset_and_seed(registries: Registries) -> None:
    request = ask(registries, "--templates quick")
    assert request.command == "compare" and list(request.sections) == ["run", "compare"]
    assert column(request, "model_code") == ["vae"] * 4 + ["pop"] * 4
    assert column(request, "dataset_code") == ["ml-20m", "ml-20m", "file", "file"] * 2
    assert column(request, "seed") == [0, 1] * 4
    assert column(request, "label") == ["VAE"] * 4 + ["Popularity"] * 4
    assert column(request, "dataset_path") == [None, None, "x.csv", "x.csv"] * 2
    assert column(request, "min_uc") == [5, 5, 2, 2] * 2
    assert column(request, "experiment_name") == [None] * 8
    assert {run.command for run in request.runs} == {"train"}
    assert {run.templates for run in request.runs} == {("train_vae",), ("pop",)}


def test_overrides_yield_to_a_run_s_own_options(registries: Registries) -> None:
    request = ask(registries, "--templates quick")
    assert column(request, "dropout") == [0.1] * 4 + [None] * 4
    assert column(request, "clip") == [6.0] * 4 + [7.0] * 4
    assert str(request.runs[0].origins["dropout"]) == "templates/quick.yaml:6"


def test_the_command_line_overrides_all(registries: Registries) -> None:
    request = ask(registries, "--templates quick --clip 9 --min_uc 3 --recover_len 4 --device cpu")
    assert column(request, "clip") == [9.0] * 8
    assert column(request, "min_uc") == [3] * 8
    assert column(request, "recover_len") == [4] * 4 + [None] * 4
    assert request.sections["run"].model_dump()["device"] == "cpu"


def test_one_dataset_or_seed_replaces_a_template_s_list(registries: Registries) -> None:
    request = ask(registries, "--templates quick --dataset_code ml-1m --seed 7")
    assert column(request, "dataset_code") == ["ml-1m"] * 2
    assert column(request, "seed") == [7] * 2
    assert request.values["datasets"] == ["ml-1m"] and str(request.origins["seeds"]) == "--seed"


def test_without_lists_a_run_keeps_its_own_dataset_and_seed(registries: Registries) -> None:
    request = ask(registries, "--templates small")
    assert column(request, "seed") == [5, 0]
    assert column(request, "dataset_code") == ["ml-1m"] * 2


def test_everything_from_the_command_line(registries: Registries) -> None:
    request = parse(
        [
            "--mode",
            "compare",
            "--runs",
            "pop",
            "{template: [pop, train_vae], label: b, overrides: {clip: 1}}",
            "--clip=2",
        ],
        registries,
    )
    assert column(request, "model_code") == ["pop", "vae"]
    assert column(request, "clip") == [2.0, 1.0]


def test_the_resolved_options_are_a_template(registries: Registries, tmp_path: Path) -> None:
    request = ask(registries, "--templates quick --clip 9 --device cpu --recover_len 3")
    path = tmp_path / "config.yaml"
    path.write_text(request.to_yaml())
    again = ask(registries, f"--templates {path}")
    assert again.values == request.values and again.sections == request.sections
    assert [run.values | {"clip": 0} for run in again.runs] == [run.values | {"clip": 0} for run in request.runs]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--templates quick --smoothin 1",
            "--smoothin 1: there is no such option in any run of this comparison; did you mean `smoothing`?",
        ),
        (
            "--templates small --dataset_path x",
            "--dataset_path x: is an option of dataset `file`, which no run of this comparison uses",
        ),
        ("--templates small --label x", "--label x: belongs to a single run; give it in `runs`"),
        ("--templates small --model_code vae", "--model_code vae: belongs to a single run"),
        ("--templates small --recover_len x", "--recover_len x: should be int >= 1 or null"),
        ("--templates small --dataset_code ml-2m", "dataset_code ml-2m: there is no dataset `ml-2m`"),
        ("--templates small --runs pup", "run `pup`: there is no template `pup`; did you mean `pop`?"),
        ("--templates small --runs bad", "templates/bad.yaml:2: dropot: 0.4: run `bad`: there is no such option"),
        ("--templates small --runs quick", "run `quick`: is not allowed"),
        ("--templates small --runs", "--runs: should be list of"),
        ("--mode compare", "--runs: must be given"),
        ("--templates two", "templates/two.yaml:4: seed: 2: is given together with `seeds`; give only one of them"),
        ("--templates small --seeds 1 --seed 2", "--seed 2: is given together with `seeds`"),
    ],
)
def test_errors(registries: Registries, line: str, message: str) -> None:
    assert message in faults(registries, line)


def test_an_error_in_all_runs_is_reported_once(registries: Registries) -> None:
    assert faults(registries, "--templates quick --min_uc x --foo 1 --recover_len 0").count("\n  ") == 3


def test_a_name_for_all_runs_is_refused(registries: Registries) -> None:
    found = faults(registries, "--templates small --experiment_name one")
    assert "--experiment_name one: belongs to a single run" in found


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--metrics NDCG@7", "no run of this comparison computes it; add 7 to --metric_ks"),
        ("--metrics NDGC@10 RMSE", "did you mean `NDCG@10`"),
        ("--metrics NDCG@10 --split random_rating --runs train_bias", "Available: RMSE, MAE"),
        ("--metrics Recall@5 --metric_ks 1 10", "no run of this comparison computes it"),
    ],
)
def test_metrics_are_checked_before_the_first_run(line: str, named: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse(f"--mode compare --runs train_pop {line}".split(), load_registries())
    assert named in str(caught.value)


def test_metrics_that_are_measured_are_accepted() -> None:
    for line in ("--metrics NDCG@7 --metric_ks 7 --best_metric NDCG@7", "--metrics Coverage@10 MRR", ""):
        assert parse(f"--mode compare --runs train_pop {line}".split(), load_registries()).runs


def test_a_run_without_randomness_has_one_seed() -> None:
    request = ask(load_registries(), "--mode compare --runs train_pop train_als train_sas --seeds 3 4")
    runs = [(run.run.model_code, run.run.seed) for run in map(experiment_of, CompareConfig.of(request).runs)]
    assert runs == [("pop", 3), ("als", 3), ("als", 4), ("sas", 3), ("sas", 4)]
    request = ask(load_registries(), "--mode compare --runs train_bias --seeds 3 4")
    assert len(CompareConfig.of(request).runs) == 2  # each seed draws a split
