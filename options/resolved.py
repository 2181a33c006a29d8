"""The results of parsing: resolved options, or a text that was requested instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from common.schema import Options
from options.origin import Origin
from options.yaml_text import dump_mapping

T = TypeVar("T", bound=Options)


class HelpRequested(Exception):
    """A text (help, version, resolved options) was requested instead of a run.

    Attributes
    ----------
    text : the text to print
    exit_code : the exit code of the process
    """

    def __init__(self, text: str, exit_code: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


@dataclass(frozen=True)
class Resolved:
    """The validated options of one command, by section. Commands turn them into typed configurations.

    Attributes
    ----------
    command : its name in the registry
    sections : section -> its validated options, "run" first
    origins : option -> origin of its value
    templates : the templates, as they were named
    more : options that no section has, for the listed datasets
    runs : the runs of a comparison, for each dataset and seed; empty for other commands
    """

    command: str
    sections: Mapping[str, Options]
    origins: Mapping[str, Origin]
    templates: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple["Resolved", ...] = ()

    def section(self, name: str, schema: type[T]) -> T:
        """The options of a section, as an instance of its schema. Raises TypeError if they have another one."""
        options = self.sections[name]
        if not isinstance(options, schema):
            raise TypeError(f"section {name} holds {type(options).__name__}, not {schema.__name__}")
        return options

    @property
    def values(self) -> dict[str, Any]:
        """All options, flat, as plain values.

        A comparison's options of the section "run" override those of its runs, so only those that were given count.
        """
        values = {**flat(self.sections.values()), **self.more}
        if not self.runs:
            return values
        own = {key for name, options in self.sections.items() if name != "run" for key in type(options).model_fields}
        return {
            key: value
            for key, value in values.items()
            if key == "mode" or key in own or not self.origins[key].is_default
        }

    def to_yaml(self) -> str:
        """The options as YAML, which is a template again."""
        return dump_mapping(self.values)

    def to_yaml_with_origins(self) -> str:
        """The options as YAML, with the origin of each value in a comment."""
        return dump_mapping(self.values, {key: str(origin) for key, origin in self.origins.items()})


def flat(sections: Any) -> dict[str, Any]:
    """The options of several sections in one mapping, as plain values."""
    return {key: value for options in sections for key, value in options.model_dump(mode="json").items()}
