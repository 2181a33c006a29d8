"""Raw values of options, and their conversion to the types of the schema."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from common.schema import Options
from options.origin import Origin
from options.type_text import has_list
from options.yaml_text import flow, parse_word

T = TypeVar("T", bound=Options)
MAX_FAULTS = 10  # of one option


@dataclass(frozen=True)
class Words:
    """The words that follow a flag on the command line; their meaning depends on the option's type."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class RawOption:
    """One `key: value` of a template, or one flag of the command line.

    Attributes
    ----------
    key : the option's name
    value : the value from YAML, or `Words`
    origin : where it came from
    layer : its priority among templates; the command line and the program have a higher one
    """

    key: str
    value: Any
    origin: Origin
    layer: int = 0

    @property
    def priority(self) -> tuple[bool, int]:
        """Values with a higher priority replace those with a lower one."""
        return self.origin.overrides_templates, self.layer

    @property
    def text(self) -> str:
        """The value as the user wrote it, for a message."""
        return " ".join(self.value.words) if isinstance(self.value, Words) else flow(self.value)


def _meanings(words: tuple[str, ...]) -> Iterator[Any]:
    """The possible meanings of the words of a flag, the likeliest first."""
    if not words:  # a bare flag sets a boolean to true and a list to empty; other types refuse it
        yield from (True, [])
        return
    read = [parse_word(word) for word in words]
    texts = [None if value is None else word for word, value in zip(words, read, strict=True)]  # null is never a text
    if len(words) == 1:
        yield read[0]
        if words[0].lower() == "none":
            yield None
        yield texts[0]
    yield read
    yield texts


def coerce(schema: type[Options], given: RawOption) -> Any:
    """The value of `given`: the first meaning of its words that its field of `schema` accepts.

    If the field accepts none, returns the meaning with the most helpful error, which `check` then reports.
    """
    if not isinstance(given.value, Words):
        return given.value
    meanings = list(_meanings(given.value.words))
    for meaning in meanings:
        if not check(schema, {given.key: meaning})[1].get(given.key):
            return meaning
    takes_list = has_list(schema.model_fields[given.key].annotation)
    return next((meaning for meaning in meanings if isinstance(meaning, list) == takes_list), meanings[0])


@dataclass(frozen=True)
class Fault:
    """What is wrong with a value: pydantic's name for the kind of error, and a message.

    Attributes
    ----------
    item : the index of the wrong item, for a value that is a list
    """

    kind: str
    message: str
    item: int | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the value is required and was not given."""
        return self.kind == "missing"

    @property
    def implied_by_type(self) -> bool:
        """Whether the type in words (`type_text`) says what is expected, including the bounds."""
        return self.item is None and (self.kind.endswith(("_type", "_parsing")) or self.kind in _IMPLIED_BY_TYPE)

    def __str__(self) -> str:
        return self.message


_IMPLIED_BY_TYPE = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "literal_error",
    "int_from_float",
)


def check(schema: type[T], values: dict[str, Any]) -> tuple[T | None, dict[str, list[Fault]]]:
    """Validate strictly, as JSON: a string is never a number, but a list may become a tuple, and a string a path.

    Returns the options and {}, or None and {key: faults}; faults of several fields together have the key "".
    """
    try:
        return schema.model_validate_json(json.dumps(_defaults(schema) | values), strict=True), {}
    except ValidationError as error:
        wrong: dict[str, list[Fault]] = {}
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            place = detail["loc"]
            message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            item = next((part for part in place[1:] if isinstance(part, int)), None)
            if item is not None:
                message = f"item {item + 1} {message}"
            faults = wrong.setdefault(str(place[0]) if place else "", [])
            too_few_left = bool(faults) and detail["type"] == "too_short"  # pydantic doesn't count the wrong items
            fault = Fault(detail["type"], message, item)
            if len(faults) < MAX_FAULTS and fault not in faults and not too_few_left:
                faults.append(fault)
        return None, wrong


def _defaults(schema: type[Options]) -> dict[str, Any]:
    """The defaults as JSON, because strict validation of JSON refuses Python objects such as paths."""
    return {
        key: to_jsonable_python(field.get_default(call_default_factory=True))
        for key, field in schema.model_fields.items()
        if not field.is_required()
    }
