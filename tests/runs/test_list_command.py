"""Command list: names and their descriptions."""

import pytest

import main
from datasets import DATASETS
from evaluation.metrics import METRICS
from models import MODELS
from models.losses import LOSSES
from options.registries import TEMPLATES
from options.templates import template_names
from runs.commands import COMMANDS


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("models", MODELS),
        ("datasets", DATASETS),
        ("metrics", METRICS),
        ("losses", LOSSES),
        ("commands", COMMANDS),
        ("templates", template_names(TEMPLATES)),
        ("splits", ["leave_one_out"]),
    ],
)
def test_every_name_has_a_line_with_its_description(
    kind: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--mode", "list", kind]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert set(names) <= {line[0] for line in lines}
    assert all(len(line) == 2 for line in lines), lines


def test_an_unknown_kind_is_an_option_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--mode", "list", "modles"]) == 2
    assert "--list_of modles: should be" in capsys.readouterr().err
