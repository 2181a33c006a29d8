"""What options are read against. `main` hands it in, so that this package knows no component."""

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


class Component(Protocol):
    """What a registry holds: a class with its options. Models also have `dataloader_code` and `trainer_code`."""

    @property
    def Options(self) -> type[Options]:
        """The component's schema."""


class Command(Protocol):
    """What `--mode` can name."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of options that the command uses. One that is no component and not shared is its own."""

    @property
    def Options(self) -> type[Options] | None:
        """The schema of the command's own section; None if it has none."""

    @property
    def listed(self) -> Callable[[Any, str], list[str]] | None:
        """The codes of the datasets that the command's own options list, from those options and dataset_code."""

    @property
    def overrides_runs(self) -> bool:
        """Whether the options of its runs' components may be given, to override theirs."""

    @property
    def resolve(self) -> "Resolve | None":
        """How the command resolves its options, if it does more than `options.resolve.resolve`."""


class Resolve(Protocol):
    """A command's own way to resolve its options. Returns None if it noted problems."""

    def __call__(
        self, given: "list[RawOption]", registries: "Registries", problems: "Problems", templates: tuple[str, ...]
    ) -> "Resolved | None": ...


def no_conflict(sections: Mapping[str, Options]) -> str | None:
    """Every combination of options is allowed."""
    return None


@dataclass(frozen=True)
class Registries:
    """Everything that can be chosen.

    Attributes
    ----------
    run : the schema of the section "run": the options that belong to no component; `mode` and those in `CHOOSERS` are
        among them
    components : section -> code -> component
    shared : section -> schema, for sections that are no components and that several commands use
    commands : what `--mode` can name
    conflicts : each says why a run's options, each valid alone, can't be combined; None if they can
    templates : the folder of templates
    """

    run: type[Options]
    components: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, type[Options]]
    commands: Mapping[str, Command]
    conflicts: Sequence[Callable[[Mapping[str, Options]], str | None]] = (no_conflict,)
    templates: Path = TEMPLATES

    def everything(self) -> Iterator[tuple[str, str, type[Options]]]:
        """(section, code, schema) of everything there is; the code of sections without components is ""."""
        yield "run", "", self.run
        for name, schema in self.shared.items():
            yield name, "", schema
        for section, registry in self.components.items():
            for code, component in registry.items():
                yield section, code, component.Options
        for code, command in self.commands.items():
            if command.Options is not None:
                yield "mode", code, command.Options
