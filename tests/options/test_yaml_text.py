"""Reading and writing YAML without the surprises of YAML 1.1."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from options.yaml_text import dump_mapping, parse_mapping, parse_word, read_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("010", 10),
        ("-3", -3),
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("null", None),
        ("~", None),
        ("none", "none"),
        ("'0.1'", "0.1"),
        ("[1, 2e-3, a]", [1, 2e-3, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_values_are_read_by_yaml_1_2(text: str, value: object) -> None:
    ((key, read, line),) = parse_mapping(f"# a comment\nkey: {text}\n")
    assert (key, read, line) == ("key", value, 2)
    assert type(read) is type(value)


ODD = ["", "abc", "[1, 2", "{a: 1, a: 2}", "1e", "-", "9" * 5000, "[" * 1200]
ODD += ["{{x}}", "{[a]: 1}", "[!!bool x]", "[!!int [1]]", "[!!float '']"]


@pytest.mark.parametrize("word", ODD)
def test_other_words_stay_text(word: str) -> None:
    assert parse_word(word) == word


def test_infinity_and_nan_are_floats() -> None:
    assert parse_word("-.inf") == -math.inf
    assert math.isnan(parse_word(".nan"))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "`a` is given here and in line 1"),
        ("a:\n  x: 1\n  x: 2\n", 3, "`x` is given here and in line 2"),
        ("- a\n", 1, "expected lines of `key: value`"),
        ("1: a\n", 1, "not a name"),
        ("b: 1\n? [a, b]\n: 3\n", 2, "not a name"),
        ("a: {x: 1, [y]: 2}\n", 1, "not a name"),
        ("a: {{x}}\n", 1, "not a name"),
        ("a: !!bool x\n", 1, "not what its tag says"),
        ("a: !!int [1]\n", 1, "expected a scalar"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "could not determine a constructor"),
        ("a: !!timestamp 2020-01-01\n", 1, "could not determine a constructor"),
        ("a: [1\nb: 2\n", 2, "expected"),
        (f"a: {'9' * 5000}\n", 1, "digits"),
    ],
)
def test_errors_name_the_line(text: str, line: int, message: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        parse_mapping(text)
    assert caught.value.problem_mark is not None and caught.value.problem is not None
    assert caught.value.problem_mark.line + 1 == line
    assert message in caught.value.problem


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert parse_mapping("# only a comment\n") == []


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
    | st.sampled_from(
        ["1e-3", "010", "yes", "null", "~", "", " ", "a: b", "x # y", "a\nb", "\t", "1:30", "- a", "[", "é"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc01", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.from_regex(r"[a-z_0-9]{1,6}", fullmatch=True), values))
def test_what_is_dumped_is_read_back(mapping: dict[str, Any]) -> None:
    for text in (dump_mapping(mapping), dump_mapping(mapping, dict.fromkeys(mapping, "from: 'there' # x"))):
        assert {key: value for key, value, _ in parse_mapping(text)} == mapping
        assert len(text.splitlines()) == text.count("\n") == len(mapping)


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = [BOMB, f"a: {'[' * 20000}", f"a: {'{b: ' * 1000}", "- " * 10000, "label: !!map [1]", "label: !!seq {a: 1}"]
HOSTILE += [
    "label: !!str [1]",
    "a: !!int {a: 1}",
    "a: !!null [1]",
    "a: !!python/name:os.system x",
    "a: \x00",
    "a: !!set {b}",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_texts_are_yaml_errors(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_mapping(text)


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for content in (b"a: 1\nb: *c\n", b"a: 1\nb: [\xff]\n", b"[]", b"a: 1\na: 2\n"):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"config\.yaml is damaged .*: start again"):
            read_mapping(file, "start again")
    file.write_text("lr: 1e-3\n")
    assert read_mapping(file, "start again") == {"lr": 0.001}
