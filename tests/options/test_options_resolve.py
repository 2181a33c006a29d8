"""Priority, types and composition of options, against small registries."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_registries import VaeOptions, fake_registries, model
from pydantic import Field

from common.schema import Options
from options import OptionsError, Registries, Resolved, parse
from runs.command import Command


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    folder = tmp_path / "templates"
    folder.mkdir()
    files = {
        "base": "lr: 5e-3\nclip: 2\n",
        "train_vae": "# ESAPR\nextends: base\nmodel_code: vae\ndropout: 0.4\nclip: 3\n",
        "small": "dropout: 0.1\nhidden: [8, 8]\n",
        "both": "extends: [train_vae, small]\nnum_epochs: 2\n",
        "diamond": "extends: [train_vae, base]\n",
        "circle": "extends: round\n",
        "round": "extends: circle\n",
        "pop": "model_code: pop\n",
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return fake_registries(folder)


def ask(registries: Registries, line: str) -> Resolved:
    return parse(line.split(), registries)


def test_default_then_templates_in_order_then_command_line(registries: Registries) -> None:
    request = ask(registries, "--templates train_vae small --lr 0.25")
    assert request.values["min_uc"] == 5 and str(request.origins["min_uc"]) == "default of dataset ml-1m"
    assert request.values["clip"] == 3.0 and str(request.origins["clip"]) == "templates/train_vae.yaml:5"
    assert request.values["dropout"] == 0.1 and str(request.origins["dropout"]) == "templates/small.yaml:1"
    assert request.values["lr"] == 0.25 and str(request.origins["lr"]) == "--lr"
    assert request.values["trainer_code"] == "vae" and str(request.origins["trainer_code"]) == "default of model vae"
    assert ask(registries, "--lr 0.25 --templates small train_vae").values["dropout"] == 0.4
    assert request.templates == ("train_vae", "small")


def test_extends_composes(registries: Registries) -> None:
    assert ask(registries, "--templates train_vae").values["lr"] == 5e-3
    both = ask(registries, "--templates both").values
    assert (both["dropout"], both["hidden"], both["num_epochs"], both["clip"]) == (0.1, [8, 8], 2, 3.0)
    assert ask(registries, "--templates diamond").values["clip"] == 2.0


def test_a_circle_of_templates_is_an_error(registries: Registries) -> None:
    with pytest.raises(OptionsError, match=r"circle -> round -> circle"):
        ask(registries, "--templates circle")


def test_a_template_by_path_extends_relative_to_itself(registries: Registries, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.yaml").write_text("extends: [train_vae, ../other.yml]\n")
    (tmp_path / "other.yml").write_text("clip: 9\n")
    assert ask(registries, f"--templates {tmp_path}/sub/mine.yaml").values["clip"] == 9.0


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("--num_epochs null", "num_epochs", None),
        ("--num_epochs none", "num_epochs", None),
        ("--num_epochs=7", "num_epochs", 7),
        ("--clip -1.5", "clip", -1.5),
        ("--clip -1e-3", "clip", -1e-3),
        ("--clip 3", "clip", 3.0),
        ("--clip=-.5", "clip", -0.5),
        ("--metric_ks 1 5 10", "metric_ks", [1, 5, 10]),
        ("--metric_ks [1,10]", "metric_ks", [1, 10]),
        ("--hidden 64", "hidden", [64]),
        ("--test_negative_sampler_code []", "test_negative_sampler_code", []),
        ("--test_negative_sampler_code", "test_negative_sampler_code", []),
        ("--test_negative_sampler_code popular random", "test_negative_sampler_code", ["popular", "random"]),
        ("--train_transfer false", "train_transfer", False),
        ("--train_transfer", "train_transfer", True),
        ("--filter_seen null", "filter_seen", None),
        ("--decoder_activation none", "decoder_activation", "none"),
        ("--label 123", "label", "123"),
        ("--label true", "label", "true"),
        ("--label=--x=y", "label", "--x=y"),
        ("--label [a", "label", "[a"),
        ("--label null", "label", None),
        ("--label=", "label", ""),
    ],
)
def test_words_become_what_the_type_wants(registries: Registries, words: str, key: str, value: object) -> None:
    request = ask(registries, f"--templates train_vae {words}")
    assert request.values[key] == value
    assert type(request.values[key]) is type(value)
    assert str(request.origins[key]) == f"--{key}"


def test_a_path_may_start_with_a_tilde(registries: Registries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("model_code: pop\nfolder: ~/data\n")
    assert ask(registries, "--templates ~/mine.yaml").values["folder"] == str(tmp_path / "data")
    assert ask(registries, "--model_code pop --folder ~nobodys/data").values["folder"] == "~nobodys/data"
    with pytest.raises(OptionsError, match="there is no file ~nobodys/x"):
        ask(registries, "--templates ~nobodys/x.yaml")


def test_codes_come_from_templates_or_the_command_line(registries: Registries) -> None:
    request = ask(registries, "--model_code pop --trainer_code vae --dataset_code file --dataset_path x.csv")
    assert list(request.sections) == ["run", "dataset", "split", "dataloader", "model", "trainer", "evaluation"]
    assert "recover_len" in request.values and "smoothing" in request.values and "train_window" not in request.values
    assert request.values["dataset_path"] == "x.csv"


@pytest.mark.parametrize("line", ["--templates both --label 1e-3 --lr 1e-05", "--mode stats --min_rating null"])
def test_the_resolved_options_are_a_template(registries: Registries, tmp_path: Path, line: str) -> None:
    request = ask(registries, line)
    for number, text in enumerate((request.to_yaml(), request.to_yaml_with_origins())):
        path = tmp_path / f"config{number}.yaml"
        path.write_text(text)
        again = ask(registries, f"--templates {path}")
        assert again.values == request.values
        assert again.sections == request.sections


def test_an_option_of_a_listed_dataset(registries: Registries, tmp_path: Path) -> None:
    request = ask(registries, "--mode stats --datasets ml-20m file --dataset_path x.csv --min_uc 2")
    assert request.values["dataset_path"] == "x.csv" and str(request.origins["dataset_path"]) == "--dataset_path"
    (tmp_path / "config.yaml").write_text(request.to_yaml())
    assert ask(registries, f"--templates {tmp_path}/config.yaml").values == request.values


def test_fewer_sections_take_a_training_template(registries: Registries) -> None:
    request = ask(registries, "--mode stats --templates train_vae --min_uc 2")
    assert list(request.sections) == ["run", "dataset", "stats"]
    assert "lr" not in request.values and request.values["min_uc"] == 2


class OtherOptions(Options):
    dropout: float = Field(0.1, description="also an option of the model")


def test_an_option_of_two_components_is_refused(tmp_path: Path) -> None:
    registries = fake_registries(tmp_path)
    with pytest.raises(ValueError, match=r"option dropout .* by OtherOptions \(shared\) and by VaeOptions \(model\)"):
        replace(registries, shared={"shared": OtherOptions})
    command = Command(("run", "model", "other"), lambda resolved: 0, OtherOptions)
    with pytest.raises(ValueError, match=r"by VaeOptions \(model\) and by OtherOptions \(command other\)"):
        replace(registries, commands={**registries.commands, "other": command})
    apart = Command(("run", "other"), lambda resolved: 0, OtherOptions)  # never used together with a model
    replace(registries, commands={**registries.commands, "other": apart})


def test_a_model_that_names_no_dataloader_is_named(tmp_path: Path) -> None:
    registries = fake_registries(tmp_path)
    wrong = model(VaeOptions, "vea", "vae")
    broken = replace(registries, components={**registries.components, "model": {"mine": wrong}})
    with pytest.raises(OptionsError, match=r"model mine: there is no dataloader `vea`; did you mean `vae`\?"):
        parse(["--model_code", "mine"], broken)


def test_words_after_a_command_set_its_main_option(tmp_path: Path) -> None:
    registries = fake_registries(tmp_path)
    stats = replace(registries.commands["stats"], main_option="datasets")
    registries = replace(registries, commands={**registries.commands, "stats": stats})
    resolved = parse(["--mode", "stats", "ml-1m", "ml-20m"], registries)
    assert resolved.values["datasets"] == ["ml-1m", "ml-20m"] and resolved.command == "stats"
    with pytest.raises(OptionsError, match="--mode train ml-1m: should be text"):
        parse(["--mode", "train", "ml-1m"], registries)
