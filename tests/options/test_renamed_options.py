"""Former names of options: still read, never shown, and the same option as the current name in every comparison."""

import json
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from common.schema import Options, current_names
from options import HelpRequested, OptionsError, Origin, Registries, Resolved, parse
from reports.collect import read_run
from runs.commands import load_registries
from runs.config import ExperimentConfig
from runs.folder_names import run_folder
from runs.folders import check_usable
from runs.tuning.config import TuneConfig
from trainers.run_folder import RunFolder

RECORDED = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def registries() -> Registries:
    return load_registries()


def ask(registries: Registries, *words: str) -> Resolved:
    return parse(list(words), registries)


def refused(registries: Registries, *words: str) -> str:
    with pytest.raises(OptionsError) as caught:
        ask(registries, *words)
    return str(caught.value)


@pytest.mark.parametrize(
    ("model", "former", "given", "current", "value"),
    [
        ("als", "factors", ["12"], "hidden_units", 12),
        ("recvae", "hidden_size", ["12"], "hidden_units", 12),
        ("vae", "encoder_hidden_layer", ["12", "6"], "hidden_layers", [12, 6]),
        ("vae", "encode_len", ["12"], "latent_size", 12),
    ],
)
def test_a_former_name_is_read(
    registries: Registries, model: str, former: str, given: list[str], current: str, value: object
) -> None:
    values = ask(registries, "--model_code", model, f"--{former}", *given).values
    assert values[current] == value and former not in values
    with pytest.raises(HelpRequested) as shown:
        ask(registries, "--help", "--model_code", model)
    assert f"--{former}" not in shown.value.text and f"--{current}" in shown.value.text


def test_priority_holds_across_the_names_of_an_option(registries: Registries, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("extends: train_als\nfactors: 7\n")
    new.write_text("extends: old.yaml\nhidden_units: 9\n")
    assert ask(registries, "--templates", str(old)).values["hidden_units"] == 7
    assert ask(registries, "--templates", str(new)).values["hidden_units"] == 9
    assert ask(registries, "--templates", str(old), "--hidden_units", "3").values["hidden_units"] == 3
    assert ask(registries, "--templates", "train_als", "--factors", "3").values["hidden_units"] == 3


def test_two_names_of_one_option_together_are_an_error(registries: Registries, tmp_path: Path) -> None:
    message = refused(registries, "--model_code", "als", "--hidden_units", "3", "--factors", "3")
    assert "--factors 3: is given together with `hidden_units`, another name of the same option" in message
    both = tmp_path / "both.yaml"
    both.write_text("model_code: als\nfactors: 3\nhidden_units: 3\n")
    assert "both.yaml:3: hidden_units: 3: is given together with `factors`" in refused(
        registries, "--templates", str(both)
    )


def test_a_former_name_is_checked_like_any_option(registries: Registries) -> None:
    assert "--factors" in refused(registries, "--model_code", "als", "--factors", "0")
    assert "is an option of model `als`, but this run uses model `sas`" in refused(
        registries, "--model_code", "sas", "--factors", "8"
    )


def test_a_comparison_gives_it_to_the_models_that_had_it(registries: Registries) -> None:
    words = ["--mode", "compare", "--runs", "train_sas_ce", "train_als"]
    resolved = ask(registries, *words, "--factors", "9")
    assert [run.values["hidden_units"] for run in resolved.runs] == [128, 9]
    assert resolved.values["factors"] == 9
    assert "no run of this comparison uses" in refused(registries, *words[:-1], "--factors", "9")


def test_the_closing_note_has_a_former_name(registries: Registries) -> None:
    resolved = ask(registries, "--mode", "compare", "--runs", "train_als", "--afterword", "next")
    assert resolved.values["closing_note"] == "next"


def test_a_search_space_may_have_it(registries: Registries) -> None:
    words = ["--mode", "tune", "--model_code", "recvae", "--search"]
    searched = TuneConfig.of(ask(registries, *words, "{hidden_size: {choice: [8, 16]}}"))
    assert list(searched.spaces) == ["hidden_size"]  # as the study of an earlier search has it
    run = searched.run_with(Origin.program("trial"), hidden_size=16)
    assert run.values()["hidden_units"] == 16
    both = "{hidden_size: {choice: [8, 16]}, hidden_units: {choice: [8, 16]}}"
    assert "is searched together with `hidden_units`" in refused(registries, *words, both)


@pytest.mark.parametrize("width", [[], ["--hidden_units", "9"]])
def test_a_run_from_before_is_resumed(registries: Registries, tmp_path: Path, width: list[str]) -> None:
    words = ["--model_code", "recvae", "--experiment_root", str(tmp_path), "--resume_training", "true", *width]
    config = ExperimentConfig.of(ask(registries, *words))
    folder = run_folder(config)
    folder.path.mkdir(parents=True)
    folder.config.write_text(config.to_yaml().replace("hidden_units", "hidden_size"))
    assert "hidden_size" in folder.config.read_text()
    assert check_usable(config, folder) == "resumed"


@pytest.mark.parametrize(
    ("words", "digest"),
    [
        (["--model_code", "recvae"], "d1c9c772"),
        (["--model_code", "recvae", "--hidden_units", "9"], "7276ded9"),
        (["--model_code", "recvae", "--hidden_size", "9"], "7276ded9"),
    ],
)
def test_folders_keep_their_derived_names(registries: Registries, words: list[str], digest: str) -> None:
    """The hashes are those from before the option was renamed."""
    folder: RunFolder = run_folder(ExperimentConfig.of(ask(registries, *words)))
    assert folder.path.name == f"recvae-seed0-{digest}"


def test_recorded_results_are_read_under_current_names() -> None:
    path = next(RECORDED.glob("*.als.seed0.json"))
    assert json.loads(path.read_text())["options"]["factors"] == 64
    options = read_run(path).record.options
    assert options["hidden_units"] == 64 and "factors" not in options


def test_a_wrong_declaration_is_refused() -> None:
    with pytest.raises(TypeError, match="only the second may be its option"):

        class Gone(Options):
            renamed: ClassVar[dict[str, str]] = {"old": "new"}

    with pytest.raises(TypeError, match="factors was renamed to hidden_units before"):

        class Again(Options):
            renamed: ClassVar[dict[str, str]] = {"factors": "width"}
            width: int = Field(1, description="w")

    assert current_names({"factors": 3, "lr": 1}) == {"hidden_units": 3, "lr": 1}
