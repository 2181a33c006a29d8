"""A search space is checked as strictly as the options themselves, before anything is written."""

from pathlib import Path

import pytest

from options import OptionsError, Registries, parse
from runs.commands import load_registries
from runs.tuning.config import TuneConfig
from runs.tuning.space import KINDS, Space, read_space

BASE = ["--mode", "tune", "--model_code", "sas", "--num_heads", "1"]


@pytest.fixture(scope="module")
def registries() -> Registries:
    return load_registries()


def faults(registries: Registries, search: str, *more: str) -> str:
    with pytest.raises(OptionsError) as caught:
        parse([*BASE, "--search", search, *more], registries)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            "{dropot: {uniform: [0, 0.5]}}",
            "search.dropot: {uniform: [0, 0.5]}: there is no such option; did you mean `dropout`",
        ),
        ("{l2: {uniform: [0, 1]}}", "but this run uses model `sas`"),
        ("{seed: {int: [0, 3]}}", "is an option of run; only those of dataloader, model and trainer can be searched"),
        ("{metric_ks: {choice: [[1], [2]]}}", "is an option of evaluation"),
        ("{min_uc: {int: [0, 3]}}", "is an option of dataset ml-1m"),
        ("{lr: {log_unifrm: [1, 2]}}", "there is no kind of space `log_unifrm`; did you mean `log_uniform`?"),
        ("{lr: 3}", "should be a mapping"),
        ("{lr: {}}", "should have one kind"),
        ("{lr: {uniform: [1, 2], choice: [1, 2]}}", "should have one kind"),
        ("{lr: {uniform: [2, 1]}}", "wrong way round: 2 is not below 1"),
        ("{lr: {uniform: [1]}}", "uniform should be [low, high]"),
        ("{lr: {uniform: [1, b]}}", "the bounds of uniform should be numbers, not b"),
        ("{lr: {uniform: [1, .inf]}}", "the bounds of uniform should be numbers"),
        (f"{{lr: {{uniform: [1, 1{'0' * 400}]}}}}", "the bounds of uniform should be numbers"),
        (f"{{num_blocks: {{int: [1, 1{'0' * 400}]}}}}", "the bounds of int should be integers"),
        ("{lr: {uniform: [0, 1], step: 1e-320}}", "is too small a step"),
        ("{lr: {log_uniform: [0, 1]}}", "the bounds of log_uniform should be above 0"),
        ("{num_blocks: {int: [1, 2.5]}}", "the bounds of int should be integers, not 2.5"),
        ("{num_blocks: {int: [0, 2]}}", "num_blocks should be int >= 1, which is not true of 0"),
        ("{num_blocks: {uniform: [1, 2]}}", "num_blocks should be int >= 1"),
        ("{dropout: {uniform: [0, 1]}}", "which is not true of 1"),
        ("{dropout: {uniform: [0, 0.5], step: 0.3}}", "steps of 0.3 from 0 don't meet 0.5"),
        ("{dropout: {uniform: [0, 0.5], step: 0}}", "step should be a number above 0"),
        ("{lr: {log_uniform: [0.1, 0.5], step: 0.1}}", "step is for int and uniform"),
        ("{hidden_units: {choice: [32]}}", "a list of two values or more"),
        ("{hidden_units: {choice: [32, 32]}}", "choice has 32 twice"),
        ("{hidden_units: {choice: [32, big]}}", "hidden_units should be int >= 1, which is not true of big"),
        ("{loss: {choice: [ce, bca]}}", "which is not true of bca"),
        ("{}", "should be mapping"),
    ],
)
def test_an_error_is_named(registries: Registries, search: str, message: str) -> None:
    assert message in faults(registries, search)


def test_all_errors_are_reported_together(registries: Registries) -> None:
    reported = faults(
        registries,
        "{lr: {uniform: [2, 1]}, dropot: {uniform: [0, 1]}, num_blocks: {int: [0, 1]}}",
        "--pruner", "hyperband", "--num_trails", "3",
    )  # fmt: skip
    assert reported.startswith("5 options are wrong; nothing was started or written.")
    for part in ("--search: search.lr", "search.dropot", "search.num_blocks", "needs num_epochs", "`num_trials`"):
        assert part in reported


def test_values_that_can_t_be_combined(registries: Registries) -> None:
    line = ["--mode", "tune", "--model_code", "sas"]
    line += ["--search", "{num_heads: {choice: [2, 3]}, hidden_units: {choice: [32, 48]}}"]
    with pytest.raises(OptionsError, match=r"num_heads 3, hidden_units 32 can't be combined: num_heads \(3\) must"):
        parse(line, registries)
    parse([word.replace("[32, 48]", "[36, 48]") for word in line], registries)


def test_a_searched_option_given_beside_its_search(
    registries: Registries,
) -> None:
    assert parse([*BASE, "--search", "{lr: {uniform: [0.1, 1]}}", "--lr", "0.2"], registries).values["lr"] == 0.2
    with pytest.raises(OptionsError, match=r"search.lr: .*: is searched, and also given by --lr"):
        parse(["--templates", "tune_sas", "--lr", "0.2"], registries)


def test_a_search_must_be_given(registries: Registries) -> None:
    with pytest.raises(OptionsError, match="--search: must be given: tune needs it"):
        parse(BASE, registries)


def test_a_search_template_can_also_train(registries: Registries, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: train_sas\nmode: tune\nsearch: {lr: {uniform: [0.1, 0.2]}}\n")
    request = parse(["--templates", str(path)], registries)
    assert request.command == "tune" and TuneConfig.of(request).spaces == {"lr": Space("uniform", (0.1, 0.2))}
    assert "search" not in parse(["--templates", str(path), "--mode", "train"], registries).values
    path.write_text("extends: train_sas\nmode: tune\nsearch: {lr: {uniform: [-1, 0.2]}}\n")
    with pytest.raises(OptionsError, match=r"mine.yaml:3: search.lr: {uniform: \[-1, 0.2\]}: lr should be float > 0"):
        parse(["--templates", str(path)], registries)


def test_other_modes_options_are_refused_in_training(registries: Registries, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: train_sas\nruns: [train_pop]\n")
    with pytest.raises(OptionsError, match="runs"):
        parse(["--templates", str(path)], registries)


@pytest.mark.parametrize("kind", KINDS)
def test_a_space_contains_its_probes(kind: str) -> None:
    space = read_space({kind: [1, 8]})
    assert isinstance(space, Space)
    assert all(space.contains(value) for value in space.probes())
    assert not space.contains(9) and not space.contains("1") and not space.contains(True)


def test_a_stepped_space_contains_its_steps() -> None:
    space = read_space({"uniform": [0, 0.5], "step": 0.05})
    assert isinstance(space, Space)
    assert space.contains(0.15) and not space.contains(0.16)
