"""Resolve and check the options of command tune: those of a run, and the search space over some of them."""

import itertools
from collections.abc import Iterator
from typing import Any

from options.choice import Choice, Section, choose, last_wins, rename
from options.misplaced import why_misplaced
from options.problems import Problems
from options.registries import Registries
from options.resolve import resolve
from options.resolved import Resolved
from options.type_text import type_text
from options.values import RawOption, check, coerce
from options.yaml_text import flow
from runs.tuning.options import TuneOptions
from runs.tuning.space import Space, read_space

SEARCHED = ("dataloader", "model", "trainer")  # a search must not change the data or the evaluation
MAX_COMBINATIONS = 512
MAX_REPORTED = 3  # invalid combinations in an error message


def resolve_tune(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Resolved | None:
    """The resolved options of a search; None if problems were noted, in the search space or elsewhere."""
    before = len(problems.found)
    resolved = resolve(given, registries, problems, templates)
    choice = choose(last_wins(given), registries, Problems())
    latest = last_wins(rename(given, choice, Problems()))
    item = latest.get("search")
    search = None if item is None else coerce(TuneOptions, item)
    if item is not None and isinstance(search, dict):
        _check_search(search, item, choice, latest, registries, problems)
    _check_pruner(latest, registries, problems)
    return resolved if len(problems.found) == before else None


def _check_search(
    search: dict[Any, Any],
    item: RawOption,
    choice: Choice,
    latest: dict[str, RawOption],
    registries: Registries,
    problems: Problems,
) -> None:
    """Note everything that is wrong with a search space."""
    spaces: dict[str, Space] = {}
    for key, raw in search.items():
        one = RawOption(choice.current_name(str(key)), raw, item.origin, item.layer)
        found = read_space(raw)
        wrong = [*_wrong_key(one, choice, latest, registries)]
        if one.key != key and one.key in search:
            wrong.append(f"is searched together with `{one.key}`, another name of the same option; search only that")
        if isinstance(found, list):
            wrong += found
        elif not wrong:
            wrong += _wrong_values(one, found, choice)
            if not wrong:
                spaces[one.key] = found
        for message in wrong:
            problems.add(message, item.origin, f"search.{key}", flow(raw))
    if len(spaces) == len(search):
        for section in choice.sections.values():
            for message in itertools.islice(_wrong_together(spaces, section, latest), MAX_REPORTED):
                problems.add(message, item.origin, "search")


def _wrong_key(one: RawOption, choice: Choice, latest: dict[str, RawOption], registries: Registries) -> Iterator[str]:
    """Messages about an option that can't be searched."""
    section = next((s for s in choice.sections.values() if one.key in s.schema.model_fields), None)
    if section is None:
        message = why_misplaced(one, choice, registries, strict=True)
        if message:
            yield message
    elif section.name not in SEARCHED:
        yield f"is an option of {section.title}; only those of dataloader, model and trainer can be searched"
    elif not one.origin.overrides_templates and one.key in latest and latest[one.key].origin.overrides_templates:
        yield f"is searched, and also given by {latest[one.key].origin}: leave that out, or give a --search without it"


def _wrong_values(one: RawOption, space: Space, choice: Choice) -> Iterator[str]:
    """Messages about values that the option's schema refuses, each alone."""
    schema = choice.schema_of(one.key)
    if schema is None:  # the component was not found, which is reported already
        return
    refused = {}
    for value in space.probes():
        faults = check(schema, {one.key: value})[1].get(one.key)
        if faults:
            refused[flow(value)] = "; ".join(map(str, faults))
    if refused:
        wanted = type_text(schema.model_fields[one.key])
        yield f"{one.key} should be {wanted}, which is not true of {', '.join(refused)}"


def _wrong_together(spaces: dict[str, Space], section: Section, latest: dict[str, RawOption]) -> Iterator[str]:
    """Messages about combinations of values that the section refuses."""
    fields = section.schema.model_fields
    mine = {key: space for key, space in spaces.items() if key in fields}
    if not mine:
        return
    base = {key: coerce(section.schema, latest[key]) for key in fields if key in latest and key not in mine}
    if any(check(section.schema, base)[1].get(key) for key in base):  # reported already
        return
    combinations = itertools.product(*(space.probes() for space in mine.values()))
    reported = set()
    for values in itertools.islice(combinations, MAX_COMBINATIONS):
        chosen = dict(zip(mine, values, strict=True))
        wrong = "; ".join(map(str, check(section.schema, {**base, **chosen})[1].get("", [])))
        if wrong and wrong not in reported:
            reported.add(wrong)
            yield f"{', '.join(f'{key} {flow(value)}' for key, value in chosen.items())} can't be combined: {wrong}"


def _check_pruner(latest: dict[str, RawOption], registries: Registries, problems: Problems) -> None:
    """Note a pruner without the options that it needs."""
    pruner, epochs = latest.get("pruner"), latest.get("num_epochs")
    if pruner is None or coerce(TuneOptions, pruner) != "hyperband":
        return
    schema = choose(latest, registries, Problems()).schema_of("num_epochs")
    if epochs is None or schema is None or coerce(schema, epochs) is None:
        problems.add("needs num_epochs, which it divides among trials", pruner.origin, "pruner", pruner.text)
