"""Why an option is not one of the chosen components' options."""

from common.errors import nearest
from options.choice import Choice
from options.registries import CHOOSERS, Registries
from options.values import RawOption

_NOT_OPTIONS = {"templates": "on the command line", "extends": "in templates"}
_NOT_OPTIONS |= dict.fromkeys(("help", "print_config", "version"), "on the command line")


def owners_of(key: str, registries: Registries) -> list[tuple[str, str]]:
    """(section, code) of everything that has the option `key`."""
    return [
        (section, code)
        for section, code, schema in registries.everything()
        if key in schema.model_fields or key in schema.renamed
    ]


def why_misplaced(item: RawOption, choice: Choice, registries: Registries, strict: bool = False) -> str | None:
    """Why the key of `item`, which no chosen section has, is wrong; None if it isn't, or if that is unknown.

    It is unknown if the component that may own the key was not found. A training template may have options of
    components that this command (for example stats) doesn't use, and a listed dataset may have the option: neither is
    wrong. `strict` treats templates like the command line.
    """
    lenient = not strict and not item.origin.overrides_templates
    owners = owners_of(item.key, registries)
    if any(section in choice.unknown for section, _ in owners) or choice.listed_schema_of(item.key) is not None:
        return None
    command = str(choice.code("mode"))
    unused = [section for section, _ in owners if section not in choice.sections and section != "command"]
    if unused:
        return None if lenient else f"is an option of the {unused[0]}, which command `{command}` does not use"
    if lenient and any(section == "command" and _covers(code, command, registries) for section, code in owners):
        return None
    if owners:
        return _other_owner(owners, choice, command)
    if item.key in _NOT_OPTIONS:
        return f"is allowed only {_NOT_OPTIONS[item.key]}"
    known = [key for section in choice.sections.values() for key in section.schema.model_fields]
    hint = nearest(item.key, known) or nearest(item.key, registries.option_names())
    return f"there is no such option{'; ' + hint if hint else ''}"


def _other_owner(owners: list[tuple[str, str]], choice: Choice, command: str) -> str:
    """The message for an option of another component than the chosen one."""
    section = owners[0][0]
    codes = ", ".join(f"`{code}`" for owner, code in owners if owner == section)
    used = f"the command is `{command}`"
    if section in choice.sections:
        used = f"this run uses {section} `{choice.sections[section].code}`"
    used += f" ({choice.origins[section]})" if section in choice.origins else ""
    if section == "dataset" and choice.listed:
        used = "datasets lists " + ", ".join(f"`{code}`" for code in choice.listed)
    return f"is an option of {section} {codes}, but {used}"


def why_unused_chooser(item: RawOption, choice: Choice) -> str | None:
    """Why a component can't be chosen on the command line: the command doesn't use one. None if it does."""
    for section, option in CHOOSERS.items():
        unused = section not in choice.sections and not choice.unknown & {section, "command", "model"}
        if item.key == option and item.origin.overrides_templates and unused:
            return f"chooses a {section}, which command `{choice.code('mode')}` does not use"
    return None


def _covers(one: str, other: str, registries: Registries) -> bool:
    """Whether the command `one` uses every section that `other` uses."""
    commands = registries.commands
    return other in commands and set(commands[other].sections) <= set(commands[one].sections)
