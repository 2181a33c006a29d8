"""From the command line to resolved options."""

from collections.abc import Callable
from dataclasses import replace

from options.arguments import read_arguments
from options.choice import command_of
from options.help import help_text, usage_text, version_text
from options.origin import Origin
from options.problems import Problems
from options.registries import Registries
from options.resolve import resolve
from options.resolved import HelpRequested, Resolved
from options.templates import read_templates
from options.values import RawOption, Words


def parse(argv: list[str], registries: Registries | Callable[[], Registries]) -> Resolved:
    """Read a command line (without the program's name) and the templates that it names.

    Parameters
    ----------
    argv : the words of the command line
    registries : the registries, or a function that loads them, which is not called for `--version`

    Raises
    ------
    OptionsError
        Lists everything that is wrong.
    HelpRequested
        Help, the version or the resolved options were requested, or `argv` is empty.
    """
    arguments = read_arguments(argv)
    if arguments.version:
        raise HelpRequested(version_text())
    registries = registries if isinstance(registries, Registries) else registries()
    if not argv:
        raise HelpRequested(usage_text(registries), exit_code=2)
    problems = arguments.problems
    given = read_templates(arguments.templates, registries.templates, problems)
    given += _mode_words(arguments.given, registries)
    if arguments.help is not None:
        problems.raise_if_any()
        raise HelpRequested(help_text(arguments.help, given, registries))
    resolved = _resolve(registries.rewrite(given), registries, problems, arguments.templates)
    problems.raise_if_any("Add --help to the command to see its options.")
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    if arguments.print_config:
        raise HelpRequested(resolved.to_yaml_with_origins().rstrip("\n"))
    return resolved


def _mode_words(given: tuple[RawOption, ...], registries: Registries) -> list[RawOption]:
    """The options of the command line, where words after the command's name are the value of its main option.

    `--mode list models` means `--mode list --list_of models`.
    """
    read: list[RawOption] = []
    for item in given:
        words = item.value.words if item.key == "mode" and isinstance(item.value, Words) else ()
        command = registries.commands.get(words[0]) if len(words) > 1 else None
        if command is None or command.main_option is None:
            read.append(item)
        else:
            read.append(replace(item, value=Words(words[:1])))
            key = command.main_option
            read.append(RawOption(key, Words(words[1:]), Origin.flag(key)))
    return read


def _resolve(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Resolved | None:
    """Resolve the options that could be read.

    If some could not be read, only problems that don't depend on them are added.
    """
    found = Problems()
    command = registries.commands.get(command_of(given, registries))
    resolver = command.resolve if command is not None and command.resolve is not None else resolve
    resolved = resolver(given, registries, found, templates)
    complete = not problems.found
    problems.extend(problem for problem in found.found if complete or (problem.key and problem.origin))
    return resolved
