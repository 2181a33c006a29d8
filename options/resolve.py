"""From values that were given to one validated request: choose the components, judge every key, check every value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.errors import nearest
from common.schema import Options
from options.arguments import COMMAND_LINE
from options.problems import Problem, Problems, unknown_choice
from options.registries import KINDS, Registries
from options.request import Request
from options.run_options import RunOptions
from options.type_text import named_values, type_text
from options.values import Given, Words, check, settle
from options.yaml_text import parse_word

_BOUNDS = ("should be greater than", "should be less than")  # what the type already says


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
    """The sections of a request, by name, and the kinds of component whose choice failed."""

    run: RunOptions
    sections: dict[str, Section] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    own: dict[str, tuple[str, str]] = field(default_factory=dict)  # null code -> (the model's own, its origin)
    listed: dict[str, type[Options]] = field(default_factory=dict)  # code -> schema of datasets beside each other
    origins: dict[str, str] = field(default_factory=dict)  # kind -> where its code was given

    def schema_of(self, key: str) -> type[Options] | None:
        """The schema that the option `key` belongs to, or None."""
        return next((s.schema for s in self.sections.values() if key in s.schema.model_fields), None)

    def listed_schema_of(self, key: str) -> type[Options] | None:
        """The schema of the first listed dataset that has the option `key`, which no section has; or None."""
        listed = [schema for schema in self.listed.values() if key in schema.model_fields]
        return listed[0] if listed and self.schema_of(key) is None else None


def last_wins(given: list[Given]) -> dict[str, Given]:
    """Of the values given, in order of priority, the last of each key."""
    return {item.key: item for item in given}


def choose(given: dict[str, Given], registries: Registries, problems: Problems) -> Choice:
    """Read the options of the run as a whole, and find the components that they name."""
    run = _read_run(given)
    choice = Choice(run, {"run": Section("run", "", RunOptions)})
    choice.origins = {
        kind: given[option].origin
        for kind, (option, _) in KINDS.items()
        if option in given and getattr(run, option) is not None
    }
    mode = registries.modes.get(run.mode)
    if mode is None:
        problems.extend([_unknown_code(given, "mode", "mode", run.mode, registries.modes)])
        mode = registries.modes["train"]
        choice.unsettled.add("mode")
    if "model" in mode.sections:
        _choose_model(choice, given, registries, problems)
    for name in mode.sections:
        if name in KINDS and name != "model":
            _choose_component(name, choice, given, registries, problems)
        elif name == "evaluation":
            choice.sections[name] = Section(name, "", registries.evaluation)
        elif name not in KINDS and name != "run":
            choice.sections[name] = Section(name, "", mode.Options)
    if mode.listed is not None:
        _list_datasets(choice, mode, given, registries)
    order = [name for name in mode.sections if name in choice.sections]
    choice.sections = {name: choice.sections[name] for name in ["run", *(n for n in order if n != "run")]}
    return choice


def _read_run(given: dict[str, Given]) -> RunOptions:
    """The options of the run; a value that is wrong counts as not given here, and is told of later."""
    values = {key: settle(RunOptions, given[key]) for key in RunOptions.model_fields if key in given}
    wrong = check(RunOptions, values)[1]
    options = check(RunOptions, {key: value for key, value in values.items() if key not in wrong})[0]
    return options if options is not None else RunOptions.model_validate({})


def _choose_model(choice: Choice, given: dict[str, Given], registries: Registries, problems: Problems) -> None:
    code = choice.run.model_code
    if code is not None and code in registries.models:
        model = registries.models[code]
        choice.sections["model"] = Section("model", code, model.Options)
        for kind in ("dataloader", "trainer"):
            choice.own[f"{kind}_code"] = (getattr(model, f"{kind}_code"), f"default of model {code}")
        return
    choice.unsettled |= {"model"}
    if code is not None:
        problems.extend([_unknown_code(given, "model_code", "model", code, registries.models)])
    elif "model_code" not in given or settle(RunOptions, given["model_code"]) is None:
        listed = ", ".join(sorted(registries.models))
        problems.add(f"no model is chosen: give --templates (see --help), or --model_code with one of {listed}")


def _choose_component(
    name: str, choice: Choice, given: dict[str, Given], registries: Registries, problems: Problems
) -> None:
    option, _ = KINDS[name]
    code = getattr(choice.run, option)
    own = choice.own[option][0] if option in choice.own else None
    if code is None:
        code = own
    component = registries.of(name).get(code)
    if component is not None:
        choice.sections[name] = Section(name, code, component.Options)
        if own is not None and not _related(component, registries.of(name)[own]):
            problems.add(
                f"model `{choice.run.model_code}` can't use {name} `{code}`; its own, used by default, is `{own}`",
                given[option].origin,
                option,
                given[option].text,
            )
        return
    choice.unsettled.add(name)
    if code is not None:
        problems.extend([_unknown_code(given, option, name, str(code), registries.of(name))])


def _list_datasets(choice: Choice, mode: Any, given: dict[str, Given], registries: Registries) -> None:
    """Find the datasets that the mode's own options list; what is wrong with those is told later."""
    fields = mode.Options.model_fields
    options = check(mode.Options, {key: settle(mode.Options, given[key]) for key in fields if key in given})[0]
    for code in [] if options is None else mode.listed(options, choice.run.dataset_code):
        if code in registries.datasets:
            choice.listed[code] = registries.datasets[code].Options
        else:
            choice.unsettled.add("dataset")


def _related(one: type, other: type) -> bool:
    """Whether one of two components can stand for the other: one is derived from the other."""
    return issubclass(one, other) or issubclass(other, one)


def _unknown_code(given: dict[str, Given], option: str, what: str, code: str, names: Any) -> Problem:
    message = unknown_choice(what, code, names)
    source = given.get(option)
    return Problem(message, source.origin, option, source.text) if source else Problem(message, f"default {option}")


def owners_of(key: str, registries: Registries) -> list[tuple[str, str]]:
    """(kind, code) of everything that has the option `key`."""
    return [(kind, code) for kind, code, schema in registries.everything() if key in schema.model_fields]


def judge_key(item: Given, choice: Choice, registries: Registries) -> str | None:
    """Why the key of `item`, which no chosen section has, is wrong; None where that can't be said or is no fault.

    It can't be said where the component that it may belong to was not found. It is no fault where a template, written
    for training, speaks of components that this mode (say stats) does not use, or where a listed dataset has it.
    """
    owners = owners_of(item.key, registries)
    known = [key for section in choice.sections.values() for key in section.schema.model_fields]
    if any(kind in choice.unsettled for kind, _ in owners) or choice.listed_schema_of(item.key) is not None:
        return None
    mode = choice.run.mode
    unused = [kind for kind, _ in owners if kind not in choice.sections and kind != "mode"]
    if unused:
        return (
            None if item.layer < COMMAND_LINE else f"is an option of the {unused[0]}, which mode `{mode}` does not use"
        )
    if item.layer < COMMAND_LINE and any(kind == "mode" and _covers(code, mode, registries) for kind, code in owners):
        return None
    if owners:
        kind = owners[0][0]
        codes = ", ".join(f"`{code}`" for owner, code in owners if owner == kind)
        used = f"this run uses {kind} `{mode if kind == 'mode' else choice.sections[kind].code}`"
        used += f" ({choice.origins[kind]})" if kind in choice.origins else ""
        if kind == "dataset" and choice.listed:
            used = "datasets lists " + ", ".join(f"`{code}`" for code in choice.listed)
        return f"is an option of {kind} {codes}, but {used}"
    if item.key in ("templates", "help", "print_config", "version", "extends"):
        where = "in templates" if item.key == "extends" else "on the command line"
        return f"has its place only {where}"
    everywhere = [key for _, _, schema in registries.everything() for key in schema.model_fields]
    hint = nearest(item.key, known) or nearest(item.key, everywhere)
    return f"there is no such option{'; ' + hint if hint else ''}"


def _judge_chooser(item: Given, choice: Choice) -> str | None:
    """Why it is wrong to choose a component on the command line: the mode has no use for it. None if it has."""
    for kind, (option, _) in KINDS.items():
        unused = kind not in choice.sections and not choice.unsettled & {kind, "mode", "model"}
        if item.key == option and item.layer >= COMMAND_LINE and unused:
            return f"chooses a {kind}, which mode `{choice.run.mode}` does not use"
    return None


def _covers(one: str, other: str, registries: Registries) -> bool:
    """Whether a mode uses every section that the other uses."""
    modes = registries.modes
    return other in modes and set(modes[other].sections) <= set(modes[one].sections)


def check_section(section: Section, given: dict[str, Given], problems: Problems) -> Options | None:
    """The section's validated options; None, and problems noted, where a value is wrong or missing."""
    fields = section.schema.model_fields
    values = {key: settle(section.schema, given[key]) for key in fields if key in given}
    options, wrong = check(section.schema, values)
    for key, messages in wrong.items():
        if not key or key not in fields:
            problems.add("; ".join(messages) + _sources(messages, given), f"options of {section.title}")
        elif key not in given:
            problems.add(f"must be given: {section.title} needs it ({type_text(fields[key])})", "", key)
        else:
            _refuse(given[key], section.schema, messages, problems)
    return options


def _protocol_conflict(sections: Mapping[str, Any], registries: Registries) -> str | None:
    """What of the split, the dataloader and the metric can't go together, or None."""
    if not {"split", "dataloader", "evaluation"} <= sections.keys():
        return None
    run, loader = sections["run"], registries.dataloaders[sections["run"].dataloader_code]
    conflict: str | None = sections["evaluation"].conflict(run.split, registries.splits[run.split].rates, loader)
    return conflict


def _model_conflict(model: Any, sections: Mapping[str, Any]) -> str | None:
    """Why the model can't be used with the options of its trainer and dataloader, or None."""
    conflict: str | None = model.conflict(sections)
    if conflict is None and "trainer" in sections:
        conflict = sections["trainer"].model_conflict(model.code, model.has_stages)
    if conflict is None and "dataloader" in sections:
        conflict = sections["dataloader"].model_conflict(model.code, model.knows_request_time(sections["model"]))
    return conflict


def _refuse(item: Given, schema: type[Options], messages: list[str], problems: Problems) -> None:
    """Note a value that its field refuses."""
    field = schema.model_fields[item.key]
    hint = _nearest_value(item, field.annotation)
    message = f"should be {type_text(field)}{hint}{_detail(item, messages)}"
    problems.add(message, item.origin, item.key, item.text)


def _values_for_listed(choice: Choice, latest: dict[str, Given], problems: Problems) -> dict[str, Any]:
    """What was given for all listed datasets that have such an option, where the chosen one has none."""
    values = {}
    for key, item in latest.items():
        schema = choice.listed_schema_of(key)
        if schema is not None:
            values[key] = settle(schema, item)
            messages = check(schema, {key: values[key]})[1].get(key)
            if messages:
                _refuse(item, schema, messages, problems)
    return values


def _sources(messages: list[str], given: dict[str, Given]) -> str:
    """Where the options that a message about several names were given."""
    named = {word for message in messages for word in re.findall(r"\w+", message)}
    found = [f"{key} = {item.text} from {item.origin}" for key, item in given.items() if key in named]
    return f" ({'; '.join(found)})" if found else ""


def _nearest_value(item: Given, annotation: Any) -> str:
    """A hint where a word is near to one of the values that the type lists."""
    known = named_values(annotation)
    hints = [nearest(word, known) for word in item.text.split() if word not in known]
    return "".join(f"; {hint}" for hint in hints if hint)


def _detail(item: Given, messages: list[str]) -> str:
    """What pydantic says beyond the type, and a hint for the commonest slips."""
    if isinstance(item.value, Words) and not item.value.words:
        return " (no value is given)"
    if isinstance(item.value, str) and not isinstance(parse_word(item.value), str):
        return " (it is a text; write it without quotes)"
    more = [text for text in messages if not text.startswith(("should be a valid", "should be '", *_BOUNDS))]
    return f" ({'; '.join(more)})" if more else ""


def resolve(
    given: list[Given], registries: Registries, problems: Problems, templates: tuple[str, ...] = ()
) -> Request | None:
    """One request from values in order of priority (lowest first); None where problems were noted."""
    latest = last_wins(given)
    before = len(problems.found)
    choice = choose(latest, registries, problems)
    for item in latest.values():
        message = _judge_chooser(item, choice)
        if choice.schema_of(item.key) is None:
            message = judge_key(item, choice, registries)
        if message:
            problems.add(message, item.origin, item.key, item.text)
    checked = {name: check_section(section, latest, problems) for name, section in choice.sections.items()}
    for_listed = _values_for_listed(choice, latest, problems)
    run = checked.pop("run")
    sections = {name: options for name, options in checked.items() if options is not None}
    if len(problems.found) > before or not isinstance(run, RunOptions):
        return None
    own = {key: code for key, (code, _) in choice.own.items() if getattr(run, key) is None}
    sections = {"run": run.model_copy(update=own), **sections}
    conflict = _protocol_conflict(sections, registries)
    if conflict is None and run.model_code and "model" in sections:
        conflict = _model_conflict(registries.models[run.model_code], sections)
    if conflict is not None:
        problems.add(conflict + _sources([conflict], latest), f"options of model {run.model_code}")
        return None
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, section in choice.sections.items():
        for key, value in sections[name].model_dump(mode="json").items():
            values[key] = value
            default = choice.own[key][1] if key in own else f"default of {section.title}"
            origins[key] = default if key in own or key not in latest else latest[key].origin
    values.update(for_listed)
    origins.update({key: latest[key].origin for key in for_listed})
    return Request(run.mode, sections, values, origins, templates)
