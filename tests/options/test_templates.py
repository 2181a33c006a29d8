"""Every shipped template is checked against the real schemas."""

from pathlib import Path

import pytest

from options import Registries, parse
from options.registries import TEMPLATES
from options.templates import first_comment
from runs import check_templates
from runs.commands import load_registries

SHIPPED = sorted(TEMPLATES.glob("*.yaml"))
MISSION = (
    "--templates train_vae --dataset_code ml-20m --train_window 128 --saturation_wait_epochs 16 "
    "--weight_type constant --weight_constant 1.0 --train_transfer false"
)


@pytest.fixture(scope="module")
def registries() -> Registries:
    return load_registries()


def test_there_are_templates() -> None:
    assert TEMPLATES / "train_vae.yaml" in SHIPPED
    assert not [path for path in TEMPLATES.rglob("*") if path.is_file() and path not in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_template_parses_and_its_options_are_a_template(path: Path, registries: Registries, tmp_path: Path) -> None:
    request = parse(["--templates", path.stem], registries)
    config = tmp_path / "config.yaml"
    config.write_text(request.to_yaml())
    again = parse(["--templates", str(config)], registries)
    assert again.sections == request.sections and again.values == request.values
    assert [run.values for run in again.runs] == [run.values for run in request.runs]
    assert first_comment(path), "a template's first line is a comment that says what it is"


def test_the_mission_s_command(registries: Registries) -> None:
    request = parse(MISSION.split(), registries)
    wanted = {
        "mode": "train",
        "model_code": "vae",
        "dataloader_code": "vae",
        "trainer_code": "vae",
        "dataset_code": "ml-20m",
        "train_window": 128,
        "saturation_wait_epochs": 16,
        "weight_type": "constant",
        "weight_constant": 1.0,
        "train_transfer": False,
        "max_len": 128,
        "lr": 5e-3,
    }
    assert {key: request.values[key] for key in wanted} == wanted


def test_check_templates_prints_each(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_templates.main() == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(SHIPPED) + 1 and printed[-1] == f"{len(SHIPPED)} templates, 0 wrong"


def test_check_templates_fails_on_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registries: Registries
) -> None:
    (tmp_path / "good.yaml").write_text("model_code: vae\ndataset_code: synthetic\n")
    (tmp_path / "bad.yaml").write_text("model_code: vae\nno_such_key: 1\n")
    changed = Registries(**{**vars(registries), "templates": tmp_path})
    monkeypatch.setattr(check_templates, "load_registries", lambda: changed)
    assert check_templates.main() == 1
    printed = capsys.readouterr().out
    assert "good: ok (command train)" in printed and "no_such_key" in printed and "2 templates, 1 wrong" in printed
