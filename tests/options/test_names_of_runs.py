"""Names of runs, groups and labels that can't be folders or lines are wrong options."""

import pytest

from options.values import check
from runs.run_options import RunOptions

NAMES = ["..", ".", ".x", "a/b", "/abs", "../../x", "a\0b", "x" * 201, "a\nb", "a\x1b[1m", "report", "a\u202eb"]
GROUPS = ["..", "/abs", "a/../b", "a//b", "a/", "a\0", "x" * 201, "a/.x", "a\x1b"]
LABELS = ["a\nb", "a\x1b[31mb", "x" * 201, "a\0"]
DEVICES = ["cuda:", "cuda:x", "cuda1", "cuda:-1", "CPU", "tpu"]
WRONG = [("experiment_name", NAMES), ("experiment_group", GROUPS), ("label", LABELS), ("device", DEVICES)]


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG for value in values])
def test_a_name_that_can_t_be_one_is_refused(key: str, value: str) -> None:
    assert check(RunOptions, {key: value})[1][key]


@pytest.mark.parametrize(
    ("key", "value"),
    [("experiment_name", "SASRec-CE, lr=.01 ü"), ("experiment_group", "ml-1m/tune-x"), ("label", "VAE (β = 0.2)")]
    + [("device", name) for name in ("auto", "cpu", "cuda", "cuda:1", "cuda:15")],
)
def test_usual_names_are_right(key: str, value: str) -> None:
    assert check(RunOptions, {key: value})[1] == {}
