"""From raw values to resolved options: choose the components, then check every key and every value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.errors import nearest
from common.schema import Options
from options.origin import Origin
from options.problems import Problem, Problems, unknown_choice
from options.registries import CHOOSERS, Command, Registries
from options.resolved import Resolved
from options.type_text import named_values, type_text
from options.values import RawOption, Words, check, coerce
from options.yaml_text import parse_word

_BOUNDS = ("should be greater than", "should be less than")  # the text of the type includes them
_NOT_OPTIONS = {"templates": "on the command line", "extends": "in templates"}
_NOT_OPTIONS |= dict.fromkeys(("help", "print_config", "version"), "on the command line")


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
    unsettled : the sections whose component was not found
    own : dataloader_code and trainer_code -> (the model's default, its origin)
    listed : code -> schema, for the datasets listed in the command's own options
    origins : section -> origin of its code
    """

    run: Options
    sections: dict[str, Section] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    own: dict[str, tuple[str, Origin]] = field(default_factory=dict)
    listed: dict[str, type[Options]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def code(self, option: str) -> str | None:
        """The value of an option of the run that chooses something."""
        value = getattr(self.run, option)
        return None if value is None else str(value)

    def current_name(self, key: str) -> str:
        """The name that the chosen components have today for the option `key`."""
        return next((s.schema.renamed[key] for s in self.sections.values() if key in s.schema.renamed), key)

    def schema_of(self, key: str) -> type[Options] | None:
        """The schema that the option `key` belongs to, or None."""
        return next((s.schema for s in self.sections.values() if key in s.schema.model_fields), None)

    def listed_schema_of(self, key: str) -> type[Options] | None:
        """The schema of the first listed dataset that has the option `key`, if no section has it; or None."""
        listed = [schema for schema in self.listed.values() if key in schema.model_fields]
        return listed[0] if listed and self.schema_of(key) is None else None


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
    value = coerce(registries.run, named[-1]) if named else registries.run.model_fields["mode"].default
    return str(value)


def choose(given: dict[str, RawOption], registries: Registries, problems: Problems) -> Choice:
    """Read the options of the section "run", and find the components that they name."""
    run = _read_run(given, registries)
    choice = Choice(run, {"run": Section("run", "", registries.run)})
    choice.origins = {
        section: given[option].origin
        for section, option in CHOOSERS.items()
        if option in given and choice.code(option) is not None
    }
    mode = str(choice.code("mode"))
    command = registries.commands.get(mode)
    if command is None:
        problems.extend([_unknown_code(given, "mode", "mode", mode, registries.commands)])
        command = registries.commands["train"]
        choice.unsettled.add("mode")
    if "model" in command.sections:
        _choose_model(choice, given, registries, problems)
    for name in command.sections:
        if name in registries.components and name != "model":
            _choose_component(name, choice, given, registries, problems)
        elif name in registries.shared:
            choice.sections[name] = Section(name, "", registries.shared[name])
        elif name not in ("run", "model") and command.Options is not None:
            choice.sections[name] = Section(name, "", command.Options)
    _list_datasets(choice, command, given, registries)
    order = [name for name in command.sections if name in choice.sections]
    choice.sections = {name: choice.sections[name] for name in ["run", *(n for n in order if n != "run")]}
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
            choice.own[option] = (getattr(model, option), Origin.default(f"model {code}"))
        return
    choice.unsettled.add("model")
    if code is not None:
        problems.extend([_unknown_code(given, "model_code", "model", code, models)])
    elif "mode" not in choice.unsettled and (
        "model_code" not in given or coerce(registries.run, given["model_code"]) is None
    ):
        listed = ", ".join(sorted(models))
        problems.add(f"no model is chosen: give --templates (see --help), or --model_code with one of {listed}")


def _choose_component(
    name: str, choice: Choice, given: dict[str, RawOption], registries: Registries, problems: Problems
) -> None:
    option, registry = CHOOSERS[name], registries.components[name]
    code = choice.code(option)
    own = choice.own[option][0] if option in choice.own else None
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
    choice.unsettled.add(name)
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
            choice.unsettled.add("dataset")


def _related(one: type, other: type) -> bool:
    """Whether two components can replace each other: one is a subclass of the other."""
    return issubclass(one, other) or issubclass(other, one)


def _unknown_code(given: dict[str, RawOption], option: str, what: str, code: str, names: Any) -> Problem:
    message = unknown_choice(what, code, names)
    source = given.get(option)
    return (
        Problem(message, source.origin, option, source.text) if source else Problem(message, about=f"default {option}")
    )


def owners_of(key: str, registries: Registries) -> list[tuple[str, str]]:
    """(section, code) of everything that has the option `key`."""
    return [
        (section, code)
        for section, code, schema in registries.everything()
        if key in schema.model_fields or key in schema.renamed
    ]


def judge_key(item: RawOption, choice: Choice, registries: Registries, strict: bool = False) -> str | None:
    """Why the key of `item`, which no chosen section has, is wrong; None if it isn't, or if that is unknown.

    It is unknown if the component that may own the key was not found. A training template may have options of
    components that this command (for example stats) doesn't use, and a listed dataset may have the option: neither is
    wrong. `strict` judges templates like the command line.
    """
    lenient = not strict and not item.origin.overrides_templates
    owners = owners_of(item.key, registries)
    known = [key for section in choice.sections.values() for key in section.schema.model_fields]
    if any(section in choice.unsettled for section, _ in owners) or choice.listed_schema_of(item.key) is not None:
        return None
    mode = str(choice.code("mode"))
    unused = [section for section, _ in owners if section not in choice.sections and section != "mode"]
    if unused:
        return None if lenient else f"is an option of the {unused[0]}, which mode `{mode}` does not use"
    if lenient and any(section == "mode" and _covers(code, mode, registries) for section, code in owners):
        return None
    if owners:
        section = owners[0][0]
        codes = ", ".join(f"`{code}`" for owner, code in owners if owner == section)
        used = f"this run uses {section} `{mode if section == 'mode' else choice.sections[section].code}`"
        used += f" ({choice.origins[section]})" if section in choice.origins else ""
        if section == "dataset" and choice.listed:
            used = "datasets lists " + ", ".join(f"`{code}`" for code in choice.listed)
        return f"is an option of {section} {codes}, but {used}"
    if item.key in _NOT_OPTIONS:
        return f"is allowed only {_NOT_OPTIONS[item.key]}"
    everywhere = [key for _, _, schema in registries.everything() for key in schema.model_fields]
    hint = nearest(item.key, known) or nearest(item.key, everywhere)
    return f"there is no such option{'; ' + hint if hint else ''}"


def _judge_chooser(item: RawOption, choice: Choice) -> str | None:
    """Why a component can't be chosen on the command line: the command doesn't use one. None if it does."""
    for section, option in CHOOSERS.items():
        unused = section not in choice.sections and not choice.unsettled & {section, "mode", "model"}
        if item.key == option and item.origin.overrides_templates and unused:
            return f"chooses a {section}, which mode `{choice.code('mode')}` does not use"
    return None


def _covers(one: str, other: str, registries: Registries) -> bool:
    """Whether the command `one` uses every section that `other` uses."""
    commands = registries.commands
    return other in commands and set(commands[other].sections) <= set(commands[one].sections)


def check_section(section: Section, given: dict[str, RawOption], problems: Problems) -> Options | None:
    """The section's validated options; None, and problems noted, if a value is wrong or missing."""
    fields = section.schema.model_fields
    values = {key: coerce(section.schema, given[key]) for key in fields if key in given}
    options, wrong = check(section.schema, values)
    for key, messages in wrong.items():
        if not key or key not in fields:
            message = "; ".join(messages) + _sources(messages, given)
            problems.add(message, about=f"options of {section.title}")
        elif key not in given:
            problems.add(f"must be given: {section.title} needs it ({type_text(fields[key])})", key=key)
        else:
            _refuse(given[key], section.schema, messages, problems)
    return options


def _refuse(item: RawOption, schema: type[Options], messages: list[str], problems: Problems) -> None:
    """Note a value that its field refuses."""
    field = schema.model_fields[item.key]
    hint = _nearest_value(item, field.annotation)
    message = f"should be {type_text(field)}{hint}{_detail(item, messages)}"
    problems.add(message, item.origin, item.key, item.text)


def _values_for_listed(choice: Choice, latest: dict[str, RawOption], problems: Problems) -> dict[str, Any]:
    """The values of options that only listed datasets have."""
    values = {}
    for key, item in latest.items():
        schema = choice.listed_schema_of(key)
        if schema is not None:
            values[key] = coerce(schema, item)
            messages = check(schema, {key: values[key]})[1].get(key)
            if messages:
                _refuse(item, schema, messages, problems)
    return values


def _sources(messages: list[str], given: dict[str, RawOption]) -> str:
    """The values and origins of the options that a message names."""
    named = {word for message in messages for word in re.findall(r"\w+", message)}
    found = [f"{key} = {item.text} from {item.origin}" for key, item in given.items() if key in named]
    return f" ({'; '.join(found)})" if found else ""


def _nearest_value(item: RawOption, annotation: Any) -> str:
    """A hint if a word is close to one of the type's named values."""
    known = named_values(annotation)
    hints = [nearest(word, known) for word in item.text.split() if word not in known]
    return "".join(f"; {hint}" for hint in hints if hint)


def _detail(item: RawOption, messages: list[str]) -> str:
    """What pydantic adds to the type, or a hint for the most common mistakes."""
    if isinstance(item.value, Words) and not item.value.words:
        return " (no value is given)"
    if isinstance(item.value, str) and not isinstance(parse_word(item.value), str):
        return " (it is a string; write it without quotes)"
    more = [text for text in messages if not text.startswith(("should be a valid", "should be '", *_BOUNDS))]
    return f" ({'; '.join(more)})" if more else ""


def find_conflict(
    sections: Mapping[str, Options], conflicts: "list[Callable[[Mapping[str, Options]], str | None]]"
) -> str | None:
    """Why these options, each valid alone, can't be combined; None if they can."""
    return next((message for check_one in conflicts if (message := check_one(sections)) is not None), None)


def resolve(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...] = ()
) -> Resolved | None:
    """Resolve values in order of priority (lowest first); None if problems were noted."""
    before = len(problems.found)
    choice = choose(last_wins(given), registries, problems)
    latest = last_wins(rename(given, choice, problems))
    for item in latest.values():
        message = _judge_chooser(item, choice)
        if choice.schema_of(item.key) is None:
            message = judge_key(item, choice, registries)
        if message:
            problems.add(message, item.origin, item.key, item.text)
    checked = {name: check_section(section, latest, problems) for name, section in choice.sections.items()}
    for_listed = _values_for_listed(choice, latest, problems)
    sections = {name: options for name, options in checked.items() if options is not None}
    if len(problems.found) > before or len(sections) < len(checked):
        return None
    run = sections["run"]
    own = {key: code for key, (code, _) in choice.own.items() if getattr(run, key) is None}
    sections["run"] = run.model_copy(update=own)
    conflict = find_conflict(sections, list(registries.conflicts))
    if conflict is not None:
        problems.add(conflict + _sources([conflict], latest), about=_about(choice))
        return None
    origins = {
        key: latest[key].origin if key in latest else Origin.default(section.title)
        for section in choice.sections.values()
        for key in section.schema.model_fields
    }
    origins |= {key: choice.own[key][1] for key in own}
    origins |= {key: latest[key].origin for key in for_listed}
    ordered = {name: sections[name] for name in choice.sections}
    return Resolved(str(choice.code("mode")), ordered, origins, templates, for_listed)


def _about(choice: Choice) -> str:
    """The subject of a conflict between options."""
    return f"options of {choice.sections['model'].title}" if "model" in choice.sections else "options"
