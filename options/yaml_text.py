"""Read and write YAML safely, with line numbers and without the surprises of YAML 1.1.

Plain words follow the rules of YAML 1.2: `1e-3` is a float, `010` is 10; `no`, `on` and `2020-01-01` are strings.
A duplicate key in a mapping is an error, and so are aliases (`*name`), whose expansion may have no end.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError

MAX_DEPTH = 50  # of nested lists and mappings
_TAG = "tag:yaml.org,2002:"
_PLAIN = (  # tag, pattern, possible first characters; the first that matches decides
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("int", re.compile(r"[-+]?[0-9]+"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        list("-+.0123456789"),
    ),
)


def _refusal(message: str, event: Any) -> yaml.composer.ComposerError:
    return yaml.composer.ComposerError(None, None, message, event.start_mark)


class _Loader(yaml.SafeLoader):
    """A safe loader that reads plain words as above and refuses duplicate keys, aliases and deep nesting."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            message = f"aliases such as *{event.anchor} are not supported: write the value again"
            raise _refusal(message, event)
        if self._depth == MAX_DEPTH:
            message = f"lists and mappings are nested more than {MAX_DEPTH} deep"
            raise _refusal(message, event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        refuse_duplicate_keys(node)
        return super().construct_mapping(node, deep)


def _construct_int(loader: _Loader, node: Any) -> int:
    return int(loader.construct_scalar(node))


class _Dumper(yaml.SafeDumper):
    """A safe dumper that quotes each string that this or another YAML reader would take for something else."""

    yaml_implicit_resolvers: dict[str, Any] = {
        first: list(rules) for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, _pattern, _first in _PLAIN:
    _whole = re.compile(f"(?:{_pattern.pattern})$")
    yaml.add_implicit_resolver(_TAG + _name, _whole, _first, Loader=_Loader, Dumper=_Dumper)
yaml.add_constructor(_TAG + "int", _construct_int, Loader=_Loader)
for _name in ("timestamp", "binary", "omap", "pairs", "set"):  # no option takes such values
    _Loader.yaml_constructors.pop(_TAG + _name, None)
yaml.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(_TAG + "str", text, style='"' if "\n" in text else None),
    Dumper=_Dumper,
)


def refuse_duplicate_keys(node: yaml.Node) -> None:
    """Raise a YAML error for a duplicate key, for a key that is a list or a mapping, and for a node that is neither."""
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(
            None, None, "this is not a mapping, although its tag says so", node.start_mark
        )
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "this key is not a name", key_node.start_mark)
        if key_node.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"`{key_node.value}` is given here and in line {seen[key_node.value]}", key_node.start_mark
            )
        seen[key_node.value] = key_node.start_mark.line + 1


def parse_mapping(text: str) -> list[tuple[str, Any, int]]:
    """Read a YAML mapping as (key, value, line) in the order of the file.

    Raises
    ------
    yaml.YAMLError
        Invalid YAML, not a mapping, a duplicate key, a key that is not a string, or a number that is too long.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return []
        if not isinstance(root, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "expected lines of `key: value`", root.start_mark)
        refuse_duplicate_keys(root)
        rows = []
        for key_node, value_node in root.value:
            if key_node.tag != _TAG + "str":
                raise yaml.constructor.ConstructorError(None, None, "this key is not a name", key_node.start_mark)
            rows.append((key_node.value, _construct(loader, value_node), key_node.start_mark.line + 1))
        return rows
    finally:
        loader.dispose()


def read_mapping(path: Path, advice: str) -> dict[str, Any]:
    """Read a file that holds a YAML mapping.

    Raises
    ------
    UserError
        The file can't be read, or isn't such a mapping; the message ends in the advice.
    """
    try:
        return {key: value for key, value, _ in parse_mapping(path.read_text(encoding="utf-8"))}
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({one_line(error)}): {advice}") from error


def one_line(error: Exception) -> str:
    """What is wrong with a YAML text, on one line."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
    return f"{error.problem or error.context}{place}"


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:  # an integer of thousands of digits
        raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error
    except (LookupError, TypeError, AttributeError) as error:  # `!!bool x`, `!!float ''`, `!!str [1]`
        message = "a value is not what its tag says"
        raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from error


def parse_word(word: str) -> Any:
    """The value of a word: null, a boolean, a number, `[a, b]` or `{a: b}`; else the word itself."""
    if word[:1] in ("[", "{"):
        loader = _Loader(word)
        try:
            root = loader.get_single_node()
            return word if root is None else _construct(loader, root)
        except (yaml.YAMLError, ValueError):
            return word
        finally:
            loader.dispose()
    for name, pattern, _ in _PLAIN:
        if word and pattern.fullmatch(word):
            return _CONVERT[name](word)
    return word


def _read_int(word: str) -> int | str:
    try:
        return int(word)
    except ValueError:  # thousands of digits
        return word


_CONVERT: dict[str, Callable[[str], Any]] = {
    "null": lambda word: None,
    "bool": lambda word: word.lower() == "true",
    "int": _read_int,
    "float": lambda word: float(word.replace(".inf", "inf").replace(".nan", "nan")),
}


def flow(value: Any) -> str:
    """A value as one line of YAML: `null`, `0.1`, `'yes'`, `[1, 5]`, `{a: 1}`."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return str(text).removesuffix("\n").removesuffix("\n...")


def dump_mapping(values: dict[str, Any], comments: dict[str, str] | None = None) -> str:
    """One line per key, with aligned trailing comments if given; `parse_mapping` reads it back."""
    lines = {key: f"{flow(key)}: {flow(value)}" for key, value in values.items()}
    if comments is None:
        return "".join(f"{line}\n" for line in lines.values())
    width = min(48, max((len(line) for line in lines.values()), default=0))
    return "".join(f"{line:<{width}}  # {comments[key]}\n" for key, line in lines.items())
