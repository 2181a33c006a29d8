"""All errors are errors together, with key, value, origin and the nearest valid name."""

from pathlib import Path

import pytest
from fake_registries import fake_registries

from options import OptionsError, Registries, parse


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "train_vae.yaml").write_text("model_code: vae\n")
    (folder / "bad.yaml").write_text("model_code: vae\nlr: '0.1'\ndropot: 1\nsmoothing: 3\nmetric_ks: [1, 0]\n")
    (folder / "broken.yaml").write_text("model_code: vae\nlr: 1\nlr: 2\n")
    (folder / "wrong_extends.yaml").write_text("extends: [train_vae, 3, trainvae]\n")
    (folder / "list.yaml").write_text("- a\n")
    return fake_registries(folder)


def faults(registries: Registries, line: str) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        parse(line.split(), registries)
    assert caught.value.exit_code == 2
    lines = str(caught.value).splitlines()
    errors = [text.strip() for text in lines if text.startswith("  ")]
    assert lines[0].startswith("1 option is wrong" if len(errors) == 1 else f"{len(errors)} options are wrong")
    return errors


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--train-window 3", "--train-window 3: there is no such option; did you mean `train_window`?"),
        ("--trainwindow=3", "did you mean `train_window`?"),
        ("--zzzzzzzz 3", "--zzzzzzzz 3: there is no such option"),
        ("--lr abc", "--lr abc: should be float > 0"),
        ("--lr 0", "--lr 0: should be float > 0"),
        ("--lr", "--lr: should be float > 0 (no value is given)"),
        ("--lr 1 2", "--lr 1 2: should be float > 0"),
        ("--lr null", "--lr null: should be float > 0"),
        ("--folder null", "--folder null: should be path"),
        ("--folder NULL", "--folder NULL: should be path"),
        ("--experiment_root null", "--experiment_root null: should be text"),
        ("--hidden null", "--hidden null: should be list of int"),
        ("--metric_ks 0", "--metric_ks 0: should be list of int >= 1 (item 1 should be greater than or equal to 1)"),
        ("--metric_ks []", "should have at least 1 item"),
        ("--lr .inf", "--lr .inf: should be float > 0"),
        ("--lr true", "--lr true: should be float > 0"),
        ("--num_epochs 1.5", "--num_epochs 1.5: should be int >= 0 or null"),
        ("--num_epochs", "should be int >= 0 or null (no value is given)"),
        ("--train_transfer yes", "--train_transfer yes: should be true|false"),
        ("--train_transfer 1", "--train_transfer 1: should be true|false"),
        ("--weight_type exp", "--weight_type exp: should be exp_stair|constant"),
        ("--metric_ks 1,5,10", "--metric_ks 1,5,10: should be list of int >= 1"),
        (
            "--metric_ks 10 0",
            "--metric_ks 10 0: should be list of int >= 1 (item 2 should be greater than or equal to 1)",
        ),
        ("--metric_ks 5 5 10", "name each value once"),
        (
            "--recover_len 4 --trainer_code generic",
            "is an option of trainer `vae`, but this run uses trainer `generic`",
        ),
        ("--seeds 1", "is an option of command `compare`, but the command is `train`"),
        ("--dataset_code ml-1n", "there is no dataset `ml-1n`; did you mean `ml-1m`? Available: file, ml-1m, ml-20m."),
        ("--mode trein", "there is no command `trein`; did you mean `train`?"),
        ("--trainer_code vea", "there is no trainer `vea`; did you mean `vae`?"),
        ("--dataloader_code none", "--dataloader_code none: model `vae` can't use dataloader `none`"),
        ("--weight_type exp_stairs", "should be exp_stair|constant; did you mean `exp_stair`?"),
        ("--device gpu", "should be auto|cpu|cuda or text; did you mean `cuda`?"),
        ("--best_metric RMSE", "RMSE is not computed under split leave_one_out: use a ranking metric"),
        ("--metric_ks 10 99999999999999999999", "64 bits"),
        ("--best_metric NDGC@10", "NDGC@10 is not computed; did you mean `NDCG@10`?"),
        ("--model_code null", "no model is chosen"),
        ("--model_code 5", "there is no model `5`"),
        ("--model_code a b", "--model_code a b: should be text or null"),
        ("--lr 1 --lr 2", "--lr: is given twice"),
        ("-lr 1", "`-lr` has one dash; options have two: --lr"),
        ("--dataset_code file", "--dataset_path: must be given: dataset file needs it (text)"),
        ("--best_metric NDCG@7", "NDCG@7 is not computed"),
        ("--best_metric NDCG@7", "best_metric = NDCG@7 from --best_metric"),
        ("--extends train_vae", "is allowed only in templates"),
        ("--help=maybe", "--help: there is no option `maybe`"),
        ("--help lerning_rate", "--help: there is no option `lerning_rate`; did you mean `lr`?"),
        ("--lerning_rate 1", "did you mean `lr`?"),
        ("--model vae", "did you mean `model_code`?"),
        (
            "--mode stats --datasets ml-20m ml-1m --dataset_path x",
            "--dataset_path x: is an option of dataset `file`, but datasets lists `ml-20m`, `ml-1m`",
        ),
        ("--mode stats --datasets file --dataset_path x y", "--dataset_path x y: should be text"),
        ("--mode stats --dataset_path x", "is an option of dataset `file`, but this run uses dataset `ml-1m`"),
        ("--mode stats --lr 1", "--lr 1: is an option of the trainer, which command `stats` does not use"),
        ("--mode stats --model_code pop", "--model_code pop: chooses a model, which command `stats` does not use"),
    ],
)
def test_one_error(registries: Registries, line: str, message: str) -> None:
    (errors,) = faults(registries, f"--templates train_vae {line}")
    assert message in errors


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--lr 1", "no model is chosen"),
        ("train_vae", "`train_vae` does not follow an option; write --key value, or --templates train_vae"),
        ("--templates train_va", "there is no template `train_va`; did you mean `train_vae`?"),
        ("--templates nowhere/x.yaml", "there is no file nowhere/x.yaml"),
        ("--templates a/b", "ends in .yaml"),
        ("--templates broken", "templates/broken.yaml:3: is not valid YAML: `lr` is given here and in line 2"),
        ("--templates list", "templates/list.yaml:1: is not valid YAML: expected lines of `key: value`"),
        ("--templates --model_code vae", "--templates: needs the name of a template"),
        ("--templates train_va --help", "there is no template `train_va`"),
        ("--help --model_code vea", "there is no model `vea`; did you mean `vae`?"),
    ],
)
def test_one_error_without_a_valid_template(registries: Registries, line: str, message: str) -> None:
    (errors,) = faults(registries, line)
    assert message in errors


def test_all_errors_together(registries: Registries) -> None:
    assert faults(registries, "--templates bad --clip x --seed -1 --metric_kss 3") == [
        "templates/bad.yaml:3: dropot: 1: there is no such option; did you mean `dropout`?",
        "templates/bad.yaml:4: smoothing: 3: is an option of model `pop`, "
        "but this run uses model `vae` (templates/bad.yaml:1)",
        "--metric_kss 3: there is no such option; did you mean `metric_ks`?",
        "--seed -1: should be int >= 0, < 9223372036854775808",
        "templates/bad.yaml:2: lr: '0.1': should be float > 0 (it is a string; write it without quotes)",
        "--clip x: should be float",
        "templates/bad.yaml:5: metric_ks: [1, 0]: should be list of int >= 1"
        + " (item 2 should be greater than or equal to 1)",
    ]


def test_errors_in_templates_and_elsewhere_together(registries: Registries) -> None:
    errors = faults(registries, "--templates wrong_extends broken --dropot 1 --seed x --recover_len 3")
    assert errors[0].startswith("templates/wrong_extends.yaml:1: extends: [train_vae, 3, trainvae]: should be the name")
    assert "no template `trainvae`" in errors[1] and "broken.yaml:3" in errors[2]
    assert errors[3] == "--dropot 1: there is no such option; did you mean `dropout`?"
    assert errors[4] == "--seed x: should be int >= 0, < 9223372036854775808"
    assert len(errors) == 5


def test_a_wrong_item_is_not_also_errors_as_missing(registries: Registries) -> None:
    (errors,) = faults(registries, "--templates train_vae --metric_ks 0")
    assert "at least" not in errors


def test_null_is_no_text_in_a_list(registries: Registries) -> None:
    (errors,) = faults(registries, "--mode compare --runs train_vae --datasets null")
    assert "--datasets null: should be list of text or mapping" in errors


def test_options_of_an_unknown_component_are_not_judged(registries: Registries) -> None:
    errors = faults(registries, "--model_code vea --recover_len 3 --smoothing 1 --nonsense 2")
    assert len(errors) == 2 and "no model `vea`" in errors[0] and "--nonsense" in errors[1]


def test_a_word_that_is_not_valid_utf_8(registries: Registries) -> None:
    with pytest.raises(OptionsError, match="not valid UTF-8"):
        parse(["--templates", "train_vae", "--label", "\udcff"], registries)


def test_one_dash_is_named_first(registries: Registries) -> None:
    (error,) = faults(registries, "-lr 3 --templates train_vae")
    assert error == "`-lr` has one dash; options have two: --lr"
    (error,) = faults(registries, "--templates train_vae --lr -inf")
    assert error.startswith("--lr -inf: should be float > 0")
