"""The components that the options of the section "run" choose, and their schemas."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.schema import Options
from options.origin import Origin
from options.problems import Problem, Problems, unknown_choice
from options.registries import CHOOSERS, Command, Registries
from options.values import RawOption, check, coerce


@dataclass(frozen=True)
class Section:
    """One chosen component and its schema."""

    name: str
    code: str
    schema: type[Options]

    @property
    def title(self) -> str:
        """ "model vae", "run"."""
        return f"{self.name} {self.code}".rstrip()


@dataclass
class Choice:
    """The chosen components.

    Attributes
    ----------
    run : the options of the section "run"
    sections : section -> its chosen component or schema
    unknown : the sections whose component was not found
    model_defaults : dataloader_code and trainer_code -> (the model's default, its origin)
    listed : code -> schema, for the datasets listed in the command's own options
    origins : section -> origin of its code
    """

    run: Options
    sections: dict[str, Section] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    model_defaults: dict[str, tuple[str, Origin]] = field(default_factory=dict)
    listed: dict[str, type[Options]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def code(self, option: str) -> str | None:
        """The value of an option of the run that chooses something."""
        value = getattr(self.run, option)
        return None if value is None else str(value)

    def current_name(self, key: str) -> str:
        """The name that the chosen components have today for the option `key`."""
        return current_name(key, (section.schema for section in self.sections.values()))

    def schema_of(self, key: str) -> type[Options] | None:
        """The schema that the option `key` belongs to, or None."""
        return next((s.schema for s in self.sections.values() if key in s.schema.model_fields), None)

    def listed_schema_of(self, key: str) -> type[Options] | None:
        """The schema of the first listed dataset that has the option `key`, if no section has it; or None."""
        listed = [schema for schema in self.listed.values() if key in schema.model_fields]
        return listed[0] if listed and self.schema_of(key) is None else None


def current_name(key: str, schemas: Iterable[type[Options]]) -> str:
    """The name that one of the schemas has today for the option `key`; `key` itself if none has renamed it."""
    return next((schema.renamed[key] for schema in schemas if key in schema.renamed), key)


def last_wins(given: list[RawOption]) -> dict[str, RawOption]:
    """The last value of each key; `given` is in order of priority, lowest first."""
    return {item.key: item for item in given}


def rename(given: list[RawOption], choice: Choice, problems: Problems) -> list[RawOption]:
    """The same values under the current names of their options.

    A problem is noted where one template, or the command line, gives an option under two names.
    """
    renamed: list[RawOption] = []
    names: dict[tuple[str, str, Path | None], str] = {}  # an option in one place -> the name it has there
    for item in given:
        current = choice.current_name(item.key)
        place = (current, item.origin.kind, item.origin.file)
        if names.setdefault(place, item.key) != item.key:
            message = f"is given together with `{names[place]}`, another name of the same option; give only `{current}`"
            problems.add(message, item.origin, item.key, item.text)
        renamed.append(replace(item, key=current))
    return renamed


def command_of(given: list[RawOption], registries: Registries) -> str:
    """The command that `mode` names, whether it exists or not."""
    named = [item for item in given if item.key == "mode"]
    return str(coerce(registries.run, named[-1])) if named else registries.default_command


def choose(given: dict[str, RawOption], registries: Registries, problems: Problems) -> Choice:
    """Read the options of the section "run", and find the components that they name."""
    run = _read_run(given, registries)
    choice = Choice(run, {"run": Section("run", "", registries.run)})
    choice.origins = {
        section: given[option].origin
        for section, option in CHOOSERS.items()
        if option in given and choice.code(option) is not None
    }
    name = str(choice.code("mode"))
    command = registries.commands.get(name)
    if command is None:  # other problems are found as if it were the default command
        problems.extend([_unknown_code(given, "mode", "command", name, registries.commands)])
        command = registries.commands[registries.default_command]
        choice.unknown.add("command")
    if "model" in command.sections:
        _choose_model(choice, given, registries, problems)
    for section in command.sections:
        if section in registries.components and section != "model":
            _choose_component(section, choice, given, registries, problems)
        elif section in registries.shared:
            choice.sections[section] = Section(section, "", registries.shared[section])
        elif section not in ("run", "model") and command.Options is not None:
            choice.sections[section] = Section(section, "", command.Options)
    _list_datasets(choice, command, given, registries)
    order = [section for section in command.sections if section in choice.sections and section != "run"]
    choice.sections = {section: choice.sections[section] for section in ["run", *order]}
    return choice


def _read_run(given: dict[str, RawOption], registries: Registries) -> Options:
    """The options of the section "run". Wrong values are ignored here and reported later."""
    schema = registries.run
    values = {key: coerce(schema, given[key]) for key in schema.model_fields if key in given}
    wrong = check(schema, values)[1]
    options = check(schema, {key: value for key, value in values.items() if key not in wrong})[0]
    return options if options is not None else schema.model_validate({})


def _choose_model(choice: Choice, given: dict[str, RawOption], registries: Registries, problems: Problems) -> None:
    code, models = choice.code("model_code"), registries.components["model"]
    if code is not None and code in models:
        model = models[code]
        choice.sections["model"] = Section("model", code, model.Options)
        for option in ("dataloader_code", "trainer_code"):
            choice.model_defaults[option] = (getattr(model, option), Origin.default(f"model {code}"))
        return
    choice.unknown.add("model")
    if code is not None:
        problems.extend([_unknown_code(given, "model_code", "model", code, models)])
    elif "command" not in choice.unknown and (
        "model_code" not in given or coerce(registries.run, given["model_code"]) is None
    ):
        listed = ", ".join(sorted(models))
        problems.add(f"no model is chosen: give --templates (see --help), or --model_code with one of {listed}")


def _choose_component(
    name: str, choice: Choice, given: dict[str, RawOption], registries: Registries, problems: Problems
) -> None:
    option, registry = CHOOSERS[name], registries.components[name]
    code = choice.code(option)
    own = choice.model_defaults[option][0] if option in choice.model_defaults else None
    if own is not None and own not in registry:  # a mistake in the model's class
        message = unknown_choice(name, own, registry)
        problems.add(f"{message} Its class declares it: {option} = {own!r}", about=f"model {choice.code('model_code')}")
        choice.unknown.add(name)
        return
    if code is None:
        code = own
    component = None if code is None else registry.get(code)
    if code is not None and component is not None:
        choice.sections[name] = Section(name, code, component.Options)
        if own is not None and not _related(component, registry[own]):
            problems.add(
                f"model `{choice.code('model_code')}` can't use {name} `{code}`; its own, used by default, is `{own}`",
                given[option].origin,
                option,
                given[option].text,
            )
        return
    choice.unknown.add(name)
    if code is not None:
        problems.extend([_unknown_code(given, option, name, code, registry)])


def _list_datasets(choice: Choice, command: Command, given: dict[str, RawOption], registries: Registries) -> None:
    """Find the datasets listed in the command's own options; errors in them are reported later."""
    schema, list_codes = command.Options, command.listed
    if schema is None or list_codes is None:
        return
    options = check(schema, {key: coerce(schema, given[key]) for key in schema.model_fields if key in given})[0]
    for code in [] if options is None else list_codes(options, str(choice.code("dataset_code"))):
        if code in registries.components["dataset"]:
            choice.listed[code] = registries.components["dataset"][code].Options
        else:
            choice.unknown.add("dataset")


def _related(one: type, other: type) -> bool:
    """Whether two components can replace each other: one is a subclass of the other."""
    return issubclass(one, other) or issubclass(other, one)


def _unknown_code(given: dict[str, RawOption], option: str, what: str, code: str, names: Iterable[str]) -> Problem:
    message = unknown_choice(what, code, names)
    source = given.get(option)
    return (
        Problem(message, source.origin, option, source.text) if source else Problem(message, about=f"default {option}")
    )
