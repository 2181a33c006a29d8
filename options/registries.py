"""The registries and schemas that options are read against. `main` hands them in: this package knows no component."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from common.schema import Options

if TYPE_CHECKING:
    from options.problems import Problems
    from options.resolved import Resolved
    from options.values import RawOption

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
CHOOSERS = {  # section -> the option of the run that chooses its component
    "dataset": "dataset_code",
    "split": "split",
    "model": "model_code",
    "dataloader": "dataloader_code",
    "trainer": "trainer_code",
}


class Command(Protocol):
    """A command, chosen by `--mode`."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of options that the command uses: components, shared sections, and its own."""

    @property
    def Options(self) -> type[Options] | None:
        """The schema of the command's own section; None if it has none."""

    @property
    def listed(self) -> Callable[[Any, str], list[str]] | None:
        """Returns the codes of the datasets that the command's own options list, given those and dataset_code."""

    @property
    def description(self) -> str:
        """What the command does, in a few words."""

    @property
    def main_option(self) -> str | None:
        """The command's option whose value may follow its name: `--mode list models`."""

    @property
    def overrides_runs(self) -> bool:
        """Whether options of its runs' components may be given, to override those of the runs."""

    @property
    def resolve(self) -> "Resolve | None":
        """How the command resolves its options; None = by `options.resolve.resolve`."""


class Resolve(Protocol):
    """Resolves the options of a command. Returns None if it noted problems."""

    def __call__(
        self, given: "list[RawOption]", registries: "Registries", problems: "Problems", templates: tuple[str, ...]
    ) -> "Resolved | None": ...


@dataclass(frozen=True)
class Registries:
    """The components and commands that options can choose.

    Attributes
    ----------
    run : the schema of the section "run": the options that belong to no component, including `mode` and those in
        `CHOOSERS`
    components : section -> code -> component
    shared : section -> schema, for sections that aren't components and that several commands use
    commands : the value of `--mode` -> command
    conflicts : functions that return why options, each valid alone, can't be combined; None if they can
    templates : the folder of templates
    rewrite : changes the given options before they are resolved, e.g. a path given as a dataset's code
    """

    run: type[Options]
    components: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, type[Options]]
    commands: Mapping[str, Command]
    conflicts: Sequence[Callable[[Mapping[str, Options]], str | None]] = ()
    templates: Path = TEMPLATES
    rewrite: "Callable[[list[RawOption]], list[RawOption]]" = list

    def __post_init__(self) -> None:
        """Raises ValueError if two components that can be used together have an option of the same name."""
        parts = {name: [schema] for name, schema in {"run": self.run, **self.shared}.items()}
        for name, registry in self.components.items():
            parts[name] = [component.Options for component in registry.values()]
        _refuse_shared_names(parts)
        for code, command in self.commands.items():
            if command.Options is not None:
                used = {name: parts[name] for name in command.sections if name in parts}
                _refuse_shared_names({**used, f"command {code}": [command.Options]})

    @property
    def default_command(self) -> str:
        """The command of a command line without `--mode`."""
        return str(self.run.model_fields["mode"].default)

    def option_names(self) -> set[str]:
        """The names of all options of all components and commands."""
        return {key for _, _, schema in self.everything() for key in schema.model_fields}

    def everything(self) -> Iterator[tuple[str, str, type[Options]]]:
        """(section, code, schema) of every component and command; the code is "" for sections without components."""
        yield "run", "", self.run
        for name, schema in self.shared.items():
            yield name, "", schema
        for section, registry in self.components.items():
            for code, component in registry.items():
                yield section, code, component.Options
        for code, command in self.commands.items():
            if command.Options is not None:
                yield "command", code, command.Options


def _refuse_shared_names(parts: Mapping[str, Sequence[type[Options]]]) -> None:
    """Raise ValueError for an option that the schemas of two parts have."""
    owners: dict[str, tuple[str, type[Options]]] = {}
    for part, schemas in parts.items():
        for schema in schemas:
            for key in schema.model_fields:
                other, other_schema = owners.setdefault(key, (part, schema))
                if other != part:
                    raise ValueError(
                        f"option {key} is declared twice: by {other_schema.__name__} ({other}) and by "
                        f"{schema.__name__} ({part}). Rename one of them"
                    )
