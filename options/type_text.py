"""The types of options in words, for help and messages."""

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from common.schema import Options
from options.yaml_text import flow

_UNIONS = (Union, types.UnionType)
_NAMES = {
    bool: "true|false",
    types.NoneType: "null",
    str: "text",
    Path: "path",
    dict: "mapping",
    list: "list",
    Any: "value",
}


def has_list(annotation: Any) -> bool:
    """Whether a (union) type has a list, tuple or set as a member."""
    parts = get_args(annotation) if get_origin(annotation) in _UNIONS else (annotation,)
    return any(get_origin(part) in (list, tuple, set, frozenset) or part is list for part in parts)


_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _annotation_text(annotation: Any) -> str:  # noqa: PLR0911  (a return per kind of type)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _class_text(annotation)
    if origin is Literal:
        return "|".join(flow(part) for part in parts)
    if origin in _UNIONS:
        return " or ".join(_annotation_text(part) for part in parts)
    if origin is Annotated:  # Annotated[int, Field(ge=1)]
        return _annotation_text(parts[0]) + _bounds_text(parts[1:])
    if origin is dict:
        return "mapping"
    if origin is tuple and Ellipsis not in parts:
        return f"list of {len(parts)} ({', '.join(_annotation_text(part) for part in parts)})"
    return f"list of {_annotation_text(parts[0])}"


def _class_text(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Options):
        return "mapping of " + ", ".join(kind.model_fields)
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _bounds_text(metadata: Any) -> str:
    bounds = []
    for item in metadata:
        source = item.metadata if isinstance(item, FieldInfo) else (item,)
        for constraint in source:
            bounds += [
                f" {sign} {getattr(constraint, name)}"
                for name, sign in _BOUNDS.items()
                if getattr(constraint, name, None) is not None
            ]
    return ",".join(bounds)


def named_values(annotation: Any) -> list[str]:
    """The strings among the values of a Literal type, including those inside unions and lists."""
    if get_origin(annotation) is Literal:
        return [part for part in get_args(annotation) if isinstance(part, str)]
    return [word for part in get_args(annotation) for word in named_values(part)]


def type_text(field: FieldInfo) -> str:
    """A field's type in words: "int >= 0 or null", "fp32|bf16", "list of int"."""
    text, bounds = _annotation_text(field.annotation), _bounds_text(field.metadata)
    if bounds and text.endswith(" or null"):
        return text.removesuffix(" or null") + bounds + " or null"
    return text + bounds
