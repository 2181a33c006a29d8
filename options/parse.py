"""The way from the command line to a request."""

from options.arguments import read_arguments
from options.compare import MODES as COMPARISONS
from options.compare import resolve_compare
from options.help import help_text, usage_text, version_text
from options.problems import Problems
from options.registries import Registries, load_registries
from options.request import HelpRequested, Request
from options.resolve import resolve
from options.run_options import RunOptions
from options.templates import read_templates
from options.tune import resolve_tune
from options.values import Given, settle


def parse(argv: list[str], registries: Registries | None = None) -> Request:
    """Read a command line (without the program's name) and the templates that it names.

    Args:
        argv: the words of the command line.
        registries: what can be chosen; None = the real ones, imported only when needed.

    Raises:
        OptionsError: lists everything that is wrong.
        HelpRequested: help, the version or the resolved options were asked for, or nothing at all.
    """
    if not argv:
        raise HelpRequested(usage_text(), exit_code=2)
    arguments = read_arguments(argv)
    if arguments.version:
        raise HelpRequested(version_text())
    registries = load_registries() if registries is None else registries
    problems = arguments.problems
    given = read_templates(arguments.templates, registries.templates, problems)
    given += arguments.given
    if arguments.help:
        problems.raise_if_any()
        raise HelpRequested(help_text(given, registries))
    request = _resolve(given, registries, problems, arguments.templates)
    problems.raise_if_any()
    assert request is not None, "a request is missing only where a problem was noted"
    if arguments.print_config:
        raise HelpRequested(request.to_yaml_with_origins().rstrip("\n"))
    return request


def _resolve(
    given: list[Given], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Request | None:
    """Resolve what was read. Where a part could not be read, only what is wrong with the rest by itself is added."""
    found = Problems()
    resolvers = {**dict.fromkeys(COMPARISONS, resolve_compare), "tune": resolve_tune}
    resolver = resolvers.get(str(_mode(given, registries)), resolve)
    request = resolver(given, registries, found, templates)
    whole = not problems.found
    problems.extend(problem for problem in found.found if whole or (problem.key and problem.origin))
    return request


def _mode(given: list[Given], registries: Registries) -> object:
    named = [item for item in given if item.key == "mode"]
    return settle(RunOptions, named[-1]) if named else None
