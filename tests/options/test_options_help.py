"""Help, version, and the resolved options with their origins."""

from pathlib import Path

import pytest
from fake_registries import fake_registries

from options import HelpRequested, OptionsError, Registries, parse


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are as long as the terminal is wide."""
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "train_vae.yaml").write_text("# ESAPR on films\nmodel_code: vae\ndropout: 0.4\n")
    (folder / "all.yaml").write_text("# all of them\nmode: compare\nruns: [train_vae]\n")
    return fake_registries(folder)


def asked(registries: Registries, line: str, exit_code: int = 0) -> str:
    with pytest.raises(HelpRequested) as caught:
        parse(line.split(), registries)
    assert caught.value.exit_code == exit_code
    return caught.value.text


def test_help_lists_the_options_of_the_chosen_components(registries: Registries) -> None:
    text = asked(registries, "--templates train_vae --trainer_code generic --lr 0.5 --num_epochs x --help")
    lines = [line.strip() for line in text.splitlines()]
    for line in (
        "model vae",
        "--dropout  float >= 0, < 1  (default 0.5; here 0.4 from templates/train_vae.yaml:3)",
        "dropout on the input",
        "--lr  float > 0  (default 0.001; here 0.5 from --lr)",
        "--num_epochs  int >= 0 or null  (default null; here x from --num_epochs)",
        "--metric_ks  list of int >= 1  (default [1, 5, 10, 20, 50])",
        "--dataloader_code  vae | none or null  (default null; here vae, default of model vae)",
        "--device  auto|cpu|cuda or text  (default auto)",
    ):
        assert line in lines
    assert "--recover_len" not in text and "--smoothing" not in text


def test_help_without_a_model_says_how_to_choose_one(registries: Registries) -> None:
    for line in ("--help --seed 3", "-h --dataset_code file"):
        text = asked(registries, line)
        assert "give --templates, or --model_code with one of vae, pop" in text
        assert "--split  leave_one_out  (default leave_one_out)" in text
    assert "--dataset_path  text  (required)" in text


def test_help_of_a_comparison(registries: Registries) -> None:
    text = asked(registries, "--templates all --help")
    assert "--seeds  list of int  (default [])" in text and "they override those of the runs" in text


def test_print_config_has_the_origin_of_each_value(registries: Registries) -> None:
    lines = asked(registries, "--templates train_vae --print_config --lr 1e-3").splitlines()
    found = {line.split(":")[0]: line for line in lines}
    assert found["lr"].split("  # ") == [found["lr"].split("  # ")[0], "--lr"]
    assert found["lr"].startswith("lr: 0.001 ")
    assert found["dropout"].endswith("# templates/train_vae.yaml:3")
    assert found["clip"].endswith("# default of trainer vae")


def test_no_arguments_print_usage_with_examples(registries: Registries) -> None:
    text = asked(registries, "", exit_code=2)
    assert "--templates quickstart" in text and "train, stats, compare (train by default)" in text
    assert len(text.splitlines()) <= 20 and max(map(len, text.splitlines())) <= 80
    assert asked(registries, "--help") == text == asked(registries, "-h")


def test_help_of_one_option(registries: Registries) -> None:
    text = asked(registries, "--help lr")
    assert text.splitlines() == [
        "  --lr  float > 0  (default 0.001)",
        "        learning rate",
        "        Option of trainer vae, trainer generic.",
    ]
    assert "here 0.4 from templates/train_vae.yaml:3" in asked(registries, "--help dropout --templates train_vae")
    assert "Option of every command." in asked(registries, "--help seed num_epochs")
    assert "Option of --mode compare." in asked(registries, "--help seeds")


@pytest.mark.parametrize("columns", [50, 80, 100, 150])
def test_help_is_as_wide_as_the_terminal(columns: int, registries: Registries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    longest = max(map(len, asked(registries, "--templates train_vae --help").splitlines()))
    assert min(columns, 120) - 20 < longest <= min(columns, 120)


def test_version(registries: Registries) -> None:
    assert "torch" in asked(registries, "--version")


def test_help_for_what_does_not_exist_is_an_error(registries: Registries) -> None:
    for words in (["--mode", "trian"], ["--dataset_code", "ml-1n"], ["--model_code", "vea"]):
        with pytest.raises(OptionsError, match="did you mean") as caught:
            parse([*words, "--help"], registries)
        assert "Add --help" not in str(caught.value)
