"""Requirements on every schema in the real registries."""

from itertools import combinations

import pytest
import torch

from common.schema import Options
from evaluation.metrics import CUT_METRICS, UNCUT_METRICS, per_user_metrics
from evaluation.options import EvaluationOptions
from options.help import help_text
from options.origin import Origin
from options.registries import CHOOSERS
from options.type_text import type_text
from options.values import RawOption, check
from runs.commands import load_registries

REGISTRIES = load_registries()
SCHEMAS = list(REGISTRIES.everything())
RESERVED = {"templates", "extends", "help", "print_config", "version"}


@pytest.mark.parametrize(("section", "code", "schema"), SCHEMAS, ids=[f"{s}-{c}" for s, c, _ in SCHEMAS])
def test_a_schema_is_strict_frozen_and_described(section: str, code: str, schema: type[Options]) -> None:
    assert issubclass(schema, Options)
    assert schema.model_config.get("extra") == "forbid" and schema.model_config.get("frozen")
    assert not RESERVED & set(schema.model_fields)
    for key, field in schema.model_fields.items():
        assert key.isidentifier() and key == key.lower(), f"{key}: options are lower case words joined by _"
        assert field.description, f"{key} has no description, which is its line in --help"
        assert type_text(field)
        assert not field.alias and not field.validation_alias


@pytest.mark.parametrize(("section", "code", "schema"), SCHEMAS, ids=[f"{s}-{c}" for s, c, _ in SCHEMAS])
def test_defaults_are_valid(section: str, code: str, schema: type[Options]) -> None:
    required = {key for key, field in schema.model_fields.items() if field.is_required()}
    needs_one_of_several = {""} if section == "command" else set()
    assert set(check(schema, {})[1]) - needs_one_of_several == required


def _meet(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether a command uses both; a command's own section has its name."""
    names = [code if section == "command" else section for section, code in (one, other)]
    return any(set(names) <= set(command.sections) for command in REGISTRIES.commands.values())


def test_a_key_belongs_to_one_section_only() -> None:
    for (section, code, schema), (other_section, other_code, other) in combinations(SCHEMAS, 2):
        if section != other_section and _meet((section, code), (other_section, other_code)):
            both = set(schema.model_fields) & set(other.model_fields)
            assert not both, f"{section} {code} and {other_section} {other_code} both have {sorted(both)}"


def test_a_model_s_own_dataloader_and_trainer_exist() -> None:
    for model in REGISTRIES.components["model"].values():
        assert model.dataloader_code in REGISTRIES.components["dataloader"]
        assert model.trainer_code in REGISTRIES.components["trainer"]


@pytest.mark.parametrize("name", REGISTRIES.commands)
def test_a_command_s_sections_can_be_filled(name: str) -> None:
    command = REGISTRIES.commands[name]
    own = [section for section in command.sections if section not in {"run", "evaluation", *CHOOSERS}]
    assert len(own) == (0 if command.Options is None else 1)
    assert "run" in command.sections


@pytest.mark.parametrize("code", REGISTRIES.components["model"])
def test_help_names_every_option_of_a_model(code: str) -> None:
    text = help_text((), [RawOption("model_code", code, Origin.flag("model_code"))], REGISTRIES)
    for key in REGISTRIES.components["model"][code].Options.model_fields:
        assert f"  --{key}  " in text


def test_every_metric_can_be_best_metric() -> None:
    measured = set(per_user_metrics(torch.tensor([[1]]), [10]))
    assert measured == {f"{name}@10" for name in CUT_METRICS} | set(UNCUT_METRICS)
    for name in measured:
        assert EvaluationOptions(best_metric=name).best_metric == name
