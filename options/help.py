"""The texts of --help, in three depths, and of --version and a command line without arguments."""

import importlib.metadata
import platform
import shutil
import textwrap

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from common.errors import nearest
from common.version import code_version
from options.choice import Choice, Section, choose, last_wins, rename
from options.problems import Problems
from options.registries import CHOOSERS, Registries
from options.type_text import type_text
from options.values import RawOption, check, coerce
from options.yaml_text import flow

NARROWEST, WIDEST, WIDTH_OF_FILES = 40, 120, 100  # columns of help

_USAGE = """\
usage: python main.py --templates NAME [NAME ...] [--OPTION VALUE ...]

Try first, offline     python main.py --templates quickstart
The main model         python main.py --templates train_vae
Your own file          python main.py --templates train_vae --dataset_code file
                           --dataset_path purchases.csv
Resume a run           python main.py --templates RUN/config.yaml
                           --resume_training true

--templates NAME ...   templates by name, or .yaml files; later ones win
--mode COMMAND         """
_MORE = """\
--print_config         print the resolved options and their origins, and exit
--version              print the versions of this project, Python and torch

Options of a run       python main.py --help --templates train_vae
Options of a command   python main.py --help --mode report
One option             python main.py --help lr
What there is          python main.py --mode list templates
                           (or models, datasets, metrics, losses, commands)
"""
_INDENT = " " * 23
_VALUES = """\
Priority: default < templates in the order given < command line. null is a value; a list is written --metric_ks 1 5 10.
"""


def version_text() -> str:
    """The versions of this project, Python and torch."""
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = "not installed"
    name = "sequential-recommendation-benchmark"
    return f"{name} {code_version()}, Python {platform.python_version()}, torch {torch}"


def usage_text(registries: Registries) -> str:
    """What to type first, and how to find out more."""
    commands = ", ".join(registries.commands)
    default = f"{registries.default_command} by default"
    lines = textwrap.wrap(f"{commands} ({default})", 80, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return _USAGE + "\n".join(lines).lstrip() + "\n" + _MORE.rstrip("\n")


def help_text(words: tuple[str, ...], given: list[RawOption], registries: Registries) -> str:
    """The help that was requested.

    Parameters
    ----------
    words : the options to explain; if there are none, all options of the components that `given` chooses are, or if it
        chooses none, the usage

    Raises
    ------
    OptionsError
        A chosen component or an option to explain does not exist.
    """
    if words:
        return "\n".join(_explain(word.lstrip("-").replace("-", "_"), given, registries) for word in words).rstrip("\n")
    if not given:
        return usage_text(registries)
    problems = Problems()
    choice, latest = _chosen(given, registries, problems)
    if "model_code" not in latest:  # help says how to choose one
        problems.found = [problem for problem in problems.found if problem.key]
    problems.raise_if_any()
    parts = [_wrapped(_VALUES)]
    parts += [_section(section, choice, latest, registries) for section in choice.sections.values()]
    if "model" in choice.unknown:
        models = ", ".join(registries.components["model"])
        parts.append(
            "Model, dataloader, trainer\n"
            + _wrapped(f"Not chosen yet: give --templates, or --model_code with one of {models}.", "  ")
        )
    command = registries.commands.get(str(choice.code("mode")))
    if command is not None and command.overrides_runs:
        parts.append(_wrapped("Options of the runs' components are allowed as well; they override those of the runs."))
    return "\n".join(parts).rstrip("\n")


def _chosen(given: list[RawOption], registries: Registries, problems: Problems) -> tuple[Choice, dict[str, RawOption]]:
    """The chosen components, and the last value of each option."""
    choice = choose(last_wins(given), registries, problems)
    return choice, last_wins(rename(given, choice, Problems()))


def _explain(key: str, given: list[RawOption], registries: Registries) -> str:
    """One option: its type, default and description; once for each different declaration."""
    choice, latest = _chosen(given, registries, Problems())
    found: dict[tuple[str, str], tuple[Section, list[str]]] = {}  # text and description -> owners
    for name, code, schema in registries.everything():
        current = schema.renamed.get(key, key)
        if current in schema.model_fields:
            section = Section(name, code, schema)
            entry = _text(current, section, choice, latest, registries)
            found.setdefault(entry, (section, []))[1].append(_owner(section))
    if not found:
        hint = nearest(key, registries.option_names())
        problems = Problems()
        problems.add(f"there is no option `{key}`{'; ' + hint if hint else ''}", about="--help")
        problems.raise_if_any()
    lines = []
    for (kind, description), (section, owners) in found.items():
        lines.append(_entry(f"--{section.schema.renamed.get(key, key)}", kind, description))
        lines.append(_wrapped(f"Option of {', '.join(owners)}.", " " * 8))
    return "".join(lines)


def _owner(section: Section) -> str:
    if section.name == "run":
        return "every command"
    return f"--mode {section.code}" if section.name == "command" else section.title


def _section(section: Section, choice: Choice, latest: dict[str, RawOption], registries: Registries) -> str:
    entries = (
        _entry(f"--{key}", *_text(key, section, choice, latest, registries)) for key in section.schema.model_fields
    )
    return section.title + "\n" + "".join(entries)


def _text(
    key: str, section: Section, choice: Choice, latest: dict[str, RawOption], registries: Registries
) -> tuple[str, str]:
    """The type, default and present value of an option, and its description."""
    field = section.schema.model_fields[key]
    default = _default(field)
    chosen = choice.sections.get(section.name)
    is_chosen = section.name == "command" or (chosen is not None and chosen.schema is section.schema)
    here = _here(key, default or "", section, choice, latest) if is_chosen else ""
    notes = [f"default {default}" if default else "required", here]
    kind = f"{_type(key, type_text(field), registries)}  ({'; '.join(note for note in notes if note)})"
    return kind, field.description or ""


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    return flow(to_jsonable_python(field.get_default(call_default_factory=True)))


def _here(key: str, default: str, section: Section, choice: Choice, latest: dict[str, RawOption]) -> str:
    """The value of an option with the templates and flags given beside --help, or "" if that is its default."""
    if key not in latest:
        if key not in choice.model_defaults:
            return ""
        code, origin = choice.model_defaults[key]
        return f"here {code}, {origin}"
    item = latest[key]
    value = coerce(section.schema, item)
    wrong = check(section.schema, {key: value})[1].get(key)
    text = item.text if wrong else flow(value)
    return "" if text == default else f"here {text} from {item.origin}"


def _type(key: str, text: str, registries: Registries) -> str:
    """The type of an option; for one that chooses a component, the available codes."""
    codes = {option: registries.components[section] for section, option in CHOOSERS.items()}
    codes["mode"] = registries.commands
    return text.replace("text", " | ".join(codes[key]), 1) if key in codes else text


def _entry(name: str, kind: str, text: str) -> str:
    return _wrapped(f"{name}  {kind}", "  ", " " * 6) + _wrapped(text, " " * 8)


def _wrapped(text: str, first: str = "", others: str | None = None) -> str:
    """The text in lines as wide as the terminal."""
    others = first if others is None else others
    lines = textwrap.wrap(
        text, _width(), initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{line}\n" for line in lines)


def _width() -> int:
    """Columns of the terminal, within bounds; of a pipe or a file, `WIDTH_OF_FILES`."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDTH_OF_FILES, 24)).columns))
