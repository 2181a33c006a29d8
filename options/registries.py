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
    shared : section -> schema, for sections that are no components and that several commands use
    commands : the value of `--mode` -> command
    conflicts : functions that return why options, each valid alone, can't be combined; None if they can
    templates : the folder of templates
    """

    run: type[Options]
    components: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, type[Options]]
    commands: Mapping[str, Command]
    conflicts: Sequence[Callable[[Mapping[str, Options]], str | None]] = ()
    templates: Path = TEMPLATES

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
                yield "mode", code, command.Options
