"""Where the value of an option came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["default", "template", "command_line", "program"]


@dataclass(frozen=True)
class Origin:
    """Where the value of an option came from. Decisions look at `kind` and `file`; `str()` is for people.

    Attributes
    ----------
    kind : "default" of a schema or a model, a "template", the "command_line", or the "program" (for example a
        comparison, which sets the seeds of its runs)
    name : the owner of a default, the path of a template as shown, the option on the command line, or the part of the
        program that set the value
    line : the line in a template
    file : the template's path
    """

    kind: Kind
    name: str
    line: int | None = None
    file: Path | None = None

    @classmethod
    def default(cls, owner: str) -> "Origin":
        """A default, for example of "model vae"."""
        return cls("default", owner)

    @classmethod
    def flag(cls, key: str) -> "Origin":
        """The command line."""
        return cls("command_line", key)

    @classmethod
    def program(cls, part: str) -> "Origin":
        """A part of the program, for example "search experiments/g/tune-x"."""
        return cls("program", part)

    @property
    def is_default(self) -> bool:
        """Whether the value is a default."""
        return self.kind == "default"

    @property
    def is_given(self) -> bool:
        """Whether the user gave the value, in a template or on the command line."""
        return self.kind in ("template", "command_line")

    @property
    def overrides_templates(self) -> bool:
        """Whether the value has priority over templates. Such an option must be one that the command uses."""
        return self.kind in ("command_line", "program")

    def __str__(self) -> str:
        """ "templates/train_vae.yaml:3", "--lr", "default of model vae", "comparison"."""
        if self.kind == "default":
            return f"default of {self.name}"
        if self.kind == "command_line":
            return f"--{self.name}"
        return self.name if self.line is None else f"{self.name}:{self.line}"
