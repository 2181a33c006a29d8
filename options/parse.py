"""From the command line to resolved options."""

from collections.abc import Callable

from options.arguments import read_arguments
from options.help import help_text, usage_text, version_text
from options.problems import Problems
from options.registries import Registries
from options.resolve import command_of, resolve
from options.resolved import HelpRequested, Resolved
from options.templates import read_templates
from options.values import RawOption


def parse(argv: list[str], registries: Registries | Callable[[], Registries]) -> Resolved:
    """Read a command line (without the program's name) and the templates that it names.

    Parameters
    ----------
    argv : the words of the command line
    registries : the registries, or a function that loads them, which is not called for usage and `--version`

    Raises
    ------
    OptionsError
        Lists everything that is wrong.
    HelpRequested
        Help, the version or the resolved options were requested, or `argv` is empty.
    """
    if not argv:
        raise HelpRequested(usage_text(), exit_code=2)
    arguments = read_arguments(argv)
    if arguments.version:
        raise HelpRequested(version_text())
    registries = registries if isinstance(registries, Registries) else registries()
    problems = arguments.problems
    given = read_templates(arguments.templates, registries.templates, problems)
    given += arguments.given
    if arguments.help:
        problems.raise_if_any()
        raise HelpRequested(help_text(given, registries))
    resolved = _resolve(given, registries, problems, arguments.templates)
    problems.raise_if_any("Add --help to the command to see its options.")
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    if arguments.print_config:
        raise HelpRequested(resolved.to_yaml_with_origins().rstrip("\n"))
    return resolved


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
