"""A command for each recorded run, made from its recorded options and checked to resolve to them."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from common.schema import Options, result_options
from docsgen.records import Group
from options.yaml_text import flow
from reports import Run
from runs.api import configure

# Recorded values that describe the start or the place of a run rather than what it computes.
LEFT_OUT = {"mode", "label", "dataset_path", "dataset_code", "seed", "tuned_by"}
STOPPED = {"interrupted": "stopped by Ctrl-C", "diverged": "diverged"}


def reproduce(groups: Sequence[Group]) -> str:
    """The commands of all recorded runs as Markdown, a section per protocol."""
    parts = []
    for protocol in dict.fromkeys(group.protocol for group in groups):
        own = [group for group in groups if group.protocol == protocol]
        data, shared = _data_options(own[0].runs[0])
        lines = [f'data="{data}"']
        for group in own:
            lines += [f"# {_comment(group)}", f"python main.py {command(group.runs[0], shared, '$data')}"]
        title = f"{protocol.described[0].upper()}{protocol.described[1:]}"
        parts.append("\n".join([f"### {title}", "", "```", *lines, "```"]))
    return "\n\n".join(parts)


def command(run: Run, shared: Mapping[str, Any], data: str) -> str:
    """The words after `python main.py` that repeat a run; `data` stands for the options of its data.

    Every option that decides results and has another value than the templates give is named. `shared` are the options
    that `data` sets.
    """
    record = run.record
    templates = record.template.split() if isinstance(record.template, str) else list(record.template or [])
    words = ["--templates", *templates, *_words(shared)]
    changed = _changed(record.options, words)
    written = ["--templates", *templates, data]
    if record.seed:
        changed["seed"] = record.seed
    named = {"label": record.label} if configure([*words, *_words(changed)]).label != record.label else {}
    return " ".join([*written, *map(shlex.quote, _words({**changed, **named}))])


def _changed(recorded: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The recorded options that decide results or precision and differ from what `words` resolve to."""
    changed: dict[str, Any] = {}
    for _ in range(3):  # an option can bring others with it
        config = configure([*words, *_words(changed)])
        missing = {
            key: value
            for section in config.sections.values()
            for key in type(section).model_fields
            if key not in LEFT_OUT and (key == "precision" or result_options({key: None}))
            for value in [recorded.get(key, _default(section, key))]
            if _plain(config.values()[key]) != _plain(value)
        }
        if not missing:
            break
        changed |= missing
    if isinstance(recorded.get("num_threads"), int):
        changed["num_threads"] = recorded["num_threads"]
    return changed


def _data_options(run: Run) -> tuple[str, dict[str, Any]]:
    """The options of a run's data, as text and as values. Files go by their name alone."""
    options = run.record.options
    shared: dict[str, Any] = {"dataset_code": options["dataset_code"]}
    if options.get("dataset_path"):
        shared["dataset_path"] = Path(str(options["dataset_path"])).name
    return " ".join(_words(shared)), shared


def _words(values: Mapping[str, Any]) -> list[str]:
    """The options as words of a command line."""
    words = []
    for key, value in values.items():
        several = isinstance(value, list | tuple) and len(value) > 1
        words += [f"--{key}", *(flow(part) for part in (value if several else [value]))]
    return words


def _default(section: Options, key: str) -> Any:
    """An option's default: what a run computed by that was recorded before the option existed."""
    return to_jsonable_python(type(section).model_fields[key].get_default(call_default_factory=True))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _comment(group: Group) -> str:
    seeds = [str(run.record.seed) for run in group.runs]
    ended = [STOPPED[run.record.stopped_by] for run in group.runs if run.record.stopped_by in STOPPED]
    words = [group.label, f"seeds {' '.join(seeds)} (--seed)" if len(seeds) > 1 else ""]
    words += [f"{ended[0]} after {group.runs[0].record.epochs} epochs" if ended else ""]
    return "; ".join(word for word in words if word)
