"""Adapts docstrings for mkdocstrings: our sections have "name : description", and types in the code alone."""

import re
from typing import Any

import griffe

TITLES = re.compile(r"^( *)(Parameters|Attributes|Returns)\n *-+\n", re.MULTILINE)
ENTRY = re.compile(r"^(?P<indent> *)(?P<names>\w+(?:, \w+)*) : (?P<text>.+)$")


class Descriptions(griffe.Extension):
    """Puts the descriptions of parameters and attributes where a NumPy docstring has them: on the next line."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object that mkdocstrings reads."""
        if obj.docstring is not None:
            obj.docstring.value = with_descriptions(obj.docstring.value)


def with_descriptions(text: str) -> str:
    """The docstring with each "name : description" on two lines, and "Returns" without a type."""
    parts = TITLES.split(text)
    changed = [parts[0]]
    for indent, title, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        section, blank, rest = body.partition("\n\n")
        if title == "Returns":  # ":" stands for the type of the signature
            section = f"{indent}:\n" + "\n".join(f"    {line}" for line in section.splitlines())
        lines = [_two_lines(line) for line in section.splitlines()]
        changed.append(f"{indent}{title}\n{indent}{'-' * len(title)}\n" + "\n".join(lines) + blank + rest)
    return "".join(changed)


def _two_lines(line: str) -> str:
    entry = ENTRY.match(line)
    return line if entry is None else f"{entry['indent']}{entry['names']}\n{entry['indent']}    {entry['text']}"
