"""Mode tune: a run's options and the search over some of them, checked before anything is run."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from options.arguments import COMMAND_LINE
from options.problems import Problems
from options.registries import Registries, load_registries
from options.request import Request
from options.resolve import Choice, Section, choose, judge_key, last_wins, resolve
from options.search import Space, read_space
from options.type_text import type_text
from options.values import Given, check, settle
from options.yaml_text import flow

SEARCHED = ("dataloader", "model", "trainer")  # the others say what is measured: a search must leave that alone
MOST_COMBINATIONS = 512
_SHOWN = 3  # wrong combinations that are told


def resolve_tune(
    given: list[Given], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Request | None:
    """The request of a search; None where problems were noted, those of the search space among them."""
    before = len(problems.found)
    request = resolve(given, registries, problems, templates)
    latest = last_wins(given)
    item = latest.get("search")
    search = None if item is None else settle(registries.modes["tune"].Options, item)
    if item is not None and isinstance(search, dict):
        _check_search(search, item, latest, registries, problems)
    _check_pruner(latest, registries, problems)
    return request if len(problems.found) == before else None


def spaces_of(request: Request) -> dict[str, Space]:
    """The search space of a request of mode tune, by option."""
    spaces = {key: read_space(raw) for key, raw in request.values["search"].items()}
    return {key: space for key, space in spaces.items() if isinstance(space, Space)}


def run_of(request: Request, changes: dict[str, Any], origin: str) -> Request:
    """The training run with the options of a request (of any mode that trains) and some `changes`.

    Raises:
        OptionsError: the changed options are not allowed together.
    """
    registries = load_registries()
    own = registries.modes[request.mode].Options
    dropped = set() if own is None else set(own.model_fields)
    given = [Given(key, value, request.origins[key], 0) for key, value in request.values.items() if key not in dropped]
    given += [Given(key, value, origin, 1) for key, value in {"mode": "train", **changes}.items()]
    problems = Problems()
    run = resolve(given, registries, problems, request.templates)
    problems.raise_if_any()
    assert run is not None, "a request is missing only where a problem was noted"
    return run


def _check_search(
    search: dict[Any, Any], item: Given, latest: dict[str, Given], registries: Registries, problems: Problems
) -> None:
    """Note everything that is wrong with a search space."""
    choice = choose(latest, registries, Problems())
    spaces: dict[str, Space] = {}
    for key, raw in search.items():
        one = Given(str(key), raw, item.origin, item.layer)
        found = read_space(raw)
        wrong = [*_wrong_key(one, choice, latest, registries)]
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
            for message in itertools.islice(_wrong_together(spaces, section, latest), _SHOWN):
                problems.add(message, item.origin, "search")


def _wrong_key(one: Given, choice: Choice, latest: dict[str, Given], registries: Registries) -> Iterator[str]:
    """Why this option can't be searched."""
    section = next((s for s in choice.sections.values() if one.key in s.schema.model_fields), None)
    if section is None:
        message = judge_key(replace(one, layer=COMMAND_LINE), choice, registries)
        if message:
            yield message
    elif section.name not in SEARCHED:
        yield f"is an option of {section.title}; only those of dataloader, model and trainer can be searched"
    elif one.layer < COMMAND_LINE and one.key in latest and latest[one.key].layer >= COMMAND_LINE:
        yield f"is searched, and given by {latest[one.key].origin}: drop that, or give --search without it"


def _wrong_values(one: Given, space: Space, choice: Choice) -> Iterator[str]:
    """Values of the space that the option's schema refuses by themselves."""
    schema = choice.schema_of(one.key)
    if schema is None:  # the component was not found, which is told already
        return
    refused = {}
    for value in space.probes():
        messages = check(schema, {one.key: value})[1].get(one.key)
        if messages:
            refused[flow(value)] = "; ".join(messages)
    if refused:
        wanted = type_text(schema.model_fields[one.key])
        yield f"{one.key} should be {wanted}, which is not true of {', '.join(refused)}"


def _wrong_together(spaces: dict[str, Space], section: Section, latest: dict[str, Given]) -> Iterator[str]:
    """Combinations of values that the section refuses."""
    fields = section.schema.model_fields
    mine = {key: space for key, space in spaces.items() if key in fields}
    if not mine:
        return
    base = {key: settle(section.schema, latest[key]) for key in fields if key in latest and key not in mine}
    if any(check(section.schema, base)[1].get(key) for key in base):  # told already
        return
    combinations = itertools.product(*(space.probes() for space in mine.values()))
    told = set()
    for values in itertools.islice(combinations, MOST_COMBINATIONS):
        chosen = dict(zip(mine, values, strict=True))
        wrong = "; ".join(check(section.schema, {**base, **chosen})[1].get("", []))
        if wrong and wrong not in told:
            told.add(wrong)
            yield f"{', '.join(f'{key} {flow(value)}' for key, value in chosen.items())} can't be together: {wrong}"


def _check_pruner(latest: dict[str, Given], registries: Registries, problems: Problems) -> None:
    """Note a pruner that lacks what it needs."""
    pruner, epochs = latest.get("pruner"), latest.get("num_epochs")
    if pruner is None or settle(registries.modes["tune"].Options, pruner) != "hyperband":
        return
    schema = choose(latest, registries, Problems()).schema_of("num_epochs")
    if epochs is None or schema is None or settle(schema, epochs) is None:
        problems.add("needs num_epochs: it gives trials shares of them", pruner.origin, "pruner", pruner.text)
