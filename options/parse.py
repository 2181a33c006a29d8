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
    registries : what can be chosen, or a function that loads it; usage and `--version` do without

    Raises
    ------
    OptionsError
        Lists everything that is wrong.
    HelpRequested
        Help, the version or the resolved options were asked for, or nothing at all.
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
    problems.raise_if_any()
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    if arguments.print_config:
        raise HelpRequested(resolved.to_yaml_with_origins().rstrip("\n"))
    return resolved


def _resolve(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Resolved | None:
    """Resolve what could be read.

    If a part could not be read, only those new problems are added that don't depend on it.
    """
    found = Problems()
    command = registries.commands.get(command_of(given, registries))
    resolver = command.resolve if command is not None and command.resolve is not None else resolve
    resolved = resolver(given, registries, found, templates)
    complete = not problems.found
    problems.extend(problem for problem in found.found if complete or (problem.key and problem.origin))
    return resolved
