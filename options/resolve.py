"""From raw values to resolved options: choose the components, then check every key and every value."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.errors import nearest
from common.schema import Options
from options.choice import Choice, Section, choose, last_wins, rename
from options.misplaced import why_misplaced, why_unused_chooser
from options.origin import Origin
from options.problems import Problems
from options.registries import Registries
from options.resolved import Resolved
from options.type_text import named_values, type_text
from options.values import Fault, RawOption, Words, check, coerce
from options.yaml_text import parse_word


def resolve(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...] = ()
) -> Resolved | None:
    """Resolve values in order of priority (lowest first); None if problems were noted."""
    before = len(problems.found)
    choice = choose(last_wins(given), registries, problems)
    latest = last_wins(rename(given, choice, problems))
    for item in latest.values():
        message = why_unused_chooser(item, choice)
        if choice.schema_of(item.key) is None:
            message = why_misplaced(item, choice, registries)
        if message:
            problems.add(message, item.origin, item.key, item.text)
    checked = {name: check_section(section, latest, problems) for name, section in choice.sections.items()}
    for_listed = _values_for_listed(choice, latest, problems)
    sections = {name: options for name, options in checked.items() if options is not None}
    if len(problems.found) > before or len(sections) < len(checked):
        return None
    run = sections["run"]
    defaults = {key: code for key, (code, _) in choice.model_defaults.items() if getattr(run, key) is None}
    sections["run"] = run.model_copy(update=defaults)
    conflict = find_conflict(sections, registries.conflicts)
    if conflict is not None:
        problems.add(conflict + _origins_of_named(conflict, latest), about=_about(choice))
        return None
    origins = {
        key: latest[key].origin if key in latest else Origin.default(section.title)
        for section in choice.sections.values()
        for key in section.schema.model_fields
    }
    origins |= {key: choice.model_defaults[key][1] for key in defaults}
    origins |= {key: latest[key].origin for key in for_listed}
    ordered = {name: sections[name] for name in choice.sections}
    return Resolved(str(choice.code("mode")), ordered, origins, templates, for_listed)


def check_section(section: Section, given: dict[str, RawOption], problems: Problems) -> Options | None:
    """The section's validated options; None, and problems noted, if a value is wrong or missing."""
    fields = section.schema.model_fields
    values = {key: coerce(section.schema, given[key]) for key in fields if key in given}
    options, wrong = check(section.schema, values)
    for key, faults in wrong.items():
        if not key or key not in fields:
            message = "; ".join(map(str, faults))
            problems.add(message + _origins_of_named(message, given), about=f"options of {section.title}")
        elif key not in given:
            problems.add(f"must be given: {section.title} needs it ({type_text(fields[key])})", key=key)
        else:
            _refuse(given[key], section.schema, faults, problems)
    return options


def find_conflict(
    sections: Mapping[str, Options], conflicts: Sequence[Callable[[Mapping[str, Options]], str | None]]
) -> str | None:
    """Why these options, each valid alone, can't be combined; None if they can."""
    return next((message for check_one in conflicts if (message := check_one(sections)) is not None), None)


def _refuse(item: RawOption, schema: type[Options], faults: list[Fault], problems: Problems) -> None:
    """Note a value that its field refuses."""
    field = schema.model_fields[item.key]
    hint = _nearest_value(item, field.annotation)
    message = f"should be {type_text(field)}{hint}{_detail(item, faults)}"
    problems.add(message, item.origin, item.key, item.text)


def _values_for_listed(choice: Choice, latest: dict[str, RawOption], problems: Problems) -> dict[str, Any]:
    """The values of options that only listed datasets have."""
    values = {}
    for key, item in latest.items():
        schema = choice.listed_schema_of(key)
        if schema is not None:
            values[key] = coerce(schema, item)
            faults = check(schema, {key: values[key]})[1].get(key)
            if faults:
                _refuse(item, schema, faults, problems)
    return values


def _origins_of_named(message: str, given: dict[str, RawOption]) -> str:
    """The values and origins of the options that a message names, to be shown after it."""
    named = set(re.findall(r"\w+", message))
    found = [f"{key} = {item.text} from {item.origin}" for key, item in given.items() if key in named]
    return f" ({'; '.join(found)})" if found else ""


def _nearest_value(item: RawOption, annotation: Any) -> str:
    """A hint if a word is close to one of the type's named values."""
    known = named_values(annotation)
    hints = [nearest(word, known) for word in item.text.split() if word not in known]
    return "".join(f"; {hint}" for hint in hints if hint)


def _detail(item: RawOption, faults: list[Fault]) -> str:
    """What to say besides the type, or a hint for the most common mistakes."""
    if isinstance(item.value, Words) and not item.value.words:
        return " (no value is given)"
    if isinstance(item.value, str) and not isinstance(parse_word(item.value), str):
        return " (it is a string; write it without quotes)"
    more = [fault.message for fault in faults if not fault.implied_by_type]
    return f" ({'; '.join(more)})" if more else ""


def _about(choice: Choice) -> str:
    """The subject of a conflict between options."""
    return f"options of {choice.sections['model'].title}" if "model" in choice.sections else "options"
