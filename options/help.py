"""The texts of --help, --version, and of a command without arguments."""

import importlib.metadata
import platform
import shutil
import textwrap
import tomllib

from pydantic_core import to_jsonable_python

from options.problems import Problems
from options.registries import CHOOSERS, ROOT, TEMPLATES, Registries
from options.resolve import Choice, Section, choose, last_wins, rename
from options.templates import first_comment, template_names
from options.type_text import type_text
from options.values import RawOption, check, coerce
from options.yaml_text import flow

USAGE = """\
usage: python main.py --templates NAME [NAME ...] [--OPTION VALUE ...]

Try first (no network, one minute):   python main.py --templates quickstart
The main model on MovieLens-1M:       python main.py --templates train_vae
All options, and what they mean:      python main.py --help --templates train_vae
The resolved options of a command:    python main.py --print_config --templates train_vae --lr 1e-3
"""

_HEAD = """\
usage: python main.py --templates NAME [NAME ...] [--OPTION VALUE ...]

A run has the options of the components that it chooses. Add templates or codes to --help to see theirs.
Priority: default < templates in the order given < command line. null is a value; a list is written --metric_ks 1 5 10.
"""

_GENERAL = (
    ("--templates NAME ...", "templates by name, or paths to .yaml files (a run's config.yaml is one)"),
    ("--help, -h", "show this text for the chosen components"),
    ("--print_config", "print the resolved options as YAML, with the origin of each value, and exit"),
    ("--version", "print the versions of this project, Python and torch, and exit"),
)

_EXAMPLES = """\
Examples
  python main.py --templates quickstart
  python main.py --templates train_vae --dataset_code ml-20m --train_window 128
  python main.py --mode stats --dataset_code ml-1m
  python main.py --templates train_vae --dataset_code file --dataset_path purchases.csv
  python main.py --templates experiments/<group>/<name>/config.yaml --resume_training true
"""


def version_text() -> str:
    """The versions of this project, Python and torch."""
    try:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except OSError:
        project = {}
    name, version = project.get("name", "main.py"), project.get("version", "unknown")
    return f"{name} {version} (Python {platform.python_version()}, torch {importlib.metadata.version('torch')})"


def help_text(given: list[RawOption], registries: Registries) -> str:
    """All options of the components that `given` chooses, the templates, and examples.

    Raises
    ------
    OptionsError
        A chosen component does not exist.
    """
    problems = Problems()
    latest = last_wins(given)
    choice = choose(latest, registries, problems)
    if "model_code" not in latest:  # help says how to choose one
        problems.found = [problem for problem in problems.found if problem.key]
    problems.raise_if_any()
    latest = last_wins(rename(given, choice, Problems()))
    width = max(60, min(120, shutil.get_terminal_size((110, 24)).columns))
    parts = [_HEAD, _entries("General", [(flag, "", text) for flag, text in _GENERAL], width)]
    parts += [_section(section, choice, latest, registries, width) for section in choice.sections.values()]
    if "model" in choice.unsettled:
        models = ", ".join(registries.components["model"])
        parts.append(
            f"Model, dataloader, trainer\n  Not chosen yet: give --templates, or --model_code with one of {models}.\n"
        )
    command = registries.commands.get(str(choice.code("mode")))
    if command is not None and command.overrides_runs:
        parts.append("Options of the runs' components are allowed as well; they override those of the runs.\n")
    parts.append(templates_text(registries))
    parts.append(_EXAMPLES)
    return "\n".join(parts)


def templates_text(registries: Registries) -> str:
    """The names of the templates, each with its first line."""
    names = template_names(registries.templates)
    width = max((len(name) for name in names), default=0)
    lines = [f"  {name:<{width}}  {first_comment(registries.templates / f'{name}.yaml')}".rstrip() for name in names]
    return "Templates\n" + "".join(f"{line}\n" for line in lines)


def _section(section: Section, choice: Choice, latest: dict[str, RawOption], registries: Registries, width: int) -> str:
    rows = []
    for key, field in section.schema.model_fields.items():
        default = "" if field.is_required() else flow(to_jsonable_python(field.get_default(call_default_factory=True)))
        notes = [f"default {default}" if default else "required", _here(key, default, section, choice, latest)]
        note = f"({'; '.join(note for note in notes if note)})"
        rows.append((f"--{key}", f"{_type(key, type_text(field), registries)}  {note}", field.description or ""))
    return _entries(section.title, rows, width)


def _here(key: str, default: str, section: Section, choice: Choice, latest: dict[str, RawOption]) -> str:
    """The value of an option with the templates and flags given beside --help, or "" if that is its default."""
    if key not in latest:
        return f"here {choice.own[key][0]}, {choice.own[key][1]}" if key in choice.own else ""
    item = latest[key]
    value = coerce(section.schema, item)
    wrong = check(section.schema, {key: value})[1].get(key)
    text = item.text if wrong else flow(value)
    return "" if text == default else f"here {text} from {item.origin}"


def _type(key: str, text: str, registries: Registries) -> str:
    """The type of an option; for one that chooses a component, the available codes."""
    codes = {option: registries.components[section] for section, option in CHOOSERS.items()}
    codes["mode"] = registries.commands
    return text.replace("text", "|".join(codes[key]), 1) if key in codes else text


def _entries(title: str, rows: list[tuple[str, str, str]], width: int) -> str:
    lines = [title]
    for name, kind, text in rows:
        lines.append(f"  {name}  {kind}".rstrip())
        lines += textwrap.wrap(text, width - 8, initial_indent="        ", subsequent_indent="        ")
    return "\n".join(lines) + "\n"


def usage_text() -> str:
    """What `python main.py` prints without arguments."""
    names = ", ".join(template_names(TEMPLATES))
    return f"{USAGE}\nTemplates: {names}"
