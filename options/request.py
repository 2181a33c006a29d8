"""What parsing ends in: a request, or a text that was asked for instead."""

from dataclasses import dataclass
from typing import Any

from common.schema import Options
from options.yaml_text import dump_mapping


class HelpRequested(Exception):
    """A text (help, version, resolved options) was asked for instead of a run.

    Attributes:
        text: what to print.
        exit_code: what the process should end with.
    """

    def __init__(self, text: str, exit_code: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


@dataclass(frozen=True)
class Request:
    """A fully resolved and validated wish.

    Attributes:
        mode: a key of the registry of modes.
        sections: the validated schema object of each section, by the section's name.
        values: the resolved options, flat, in the order of the sections; then what was given for listed datasets alone.
            Of a comparison: what was given, and all options of the comparison itself; the runs' defaults stand in
            `cells`.
        origins: where each value came from: "default of model vae", "templates/train_vae.yaml:3", "--lr".
        templates: the templates as they were named.
        cells: the runs of a comparison, one per run, dataset and seed; empty in other modes.
    """

    mode: str
    sections: dict[str, Options]
    values: dict[str, Any]
    origins: dict[str, str]
    templates: tuple[str, ...] = ()
    cells: tuple["Request", ...] = ()

    def to_yaml(self) -> str:
        """The options as YAML that can be given back as a template."""
        return dump_mapping(self.values)

    def to_yaml_with_origins(self) -> str:
        """The same, with the origin of each value in a comment."""
        return dump_mapping(self.values, self.origins)
