"""Split the command line into flags and their words. The meaning of the words depends on the type of the option."""

import re
from dataclasses import dataclass, field

from options.origin import Origin
from options.problems import Problems
from options.values import RawOption, Words

_FLAG = re.compile(r"--([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
_SWITCHES = ("print_config", "version")


@dataclass(frozen=True)
class Arguments:
    """The command line: templates, options, and what requests a text instead of a run.

    `help` holds the words after `--help`; None without it.
    """

    templates: tuple[str, ...] = ()
    given: tuple[RawOption, ...] = ()
    help: tuple[str, ...] | None = None
    print_config: bool = False
    version: bool = False
    problems: Problems = field(default_factory=Problems)


def read_arguments(argv: list[str]) -> Arguments:
    """Split `argv` (without the program's name) into flags: `--key value ...`, `--key=value`, `--key`.

    A word that starts with two dashes and a letter is a flag, so negative numbers are values.
    """
    problems = Problems()
    flags: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in ("--help" if typed == "-h" else typed for typed in argv):
        match = _FLAG.fullmatch(word)
        if match:
            key, value = match.group(1), match.group(2)
            key = "print_config" if key == "print-config" else key
            current = [] if value is None else [value]
            if key in flags:
                problems.add("is given twice; give it once", Origin.flag(key), key, value or "")
            flags[key] = current
        elif not _is_text(word):
            problems.add(f"{word!r} is not valid UTF-8")
        elif re.match(r"-[A-Za-z]", word) and word[1:].lower() not in ("inf", "nan"):
            problems.add(f"`{word}` has one dash; options have two: -{word}")
            current = []
        elif current is None:
            problems.add(f"`{word}` does not follow an option; write --key value, or --templates {word}")
            current = []
        else:
            current.append(word)
    templates = tuple(flags.pop("templates", ()))
    help_words = tuple(flags.pop("help")) if "help" in flags else None
    switches = {key: _switch(key, flags.pop(key), problems) for key in _SWITCHES if key in flags}
    if "--templates" in argv and not templates:
        problems.add("needs the name of a template, or several", Origin.flag("templates"), "templates")
    given = tuple(RawOption(key, Words(tuple(words)), Origin.flag(key)) for key, words in flags.items())
    return Arguments(templates, given, help_words, **switches, problems=problems)


def _switch(key: str, words: list[str], problems: Problems) -> bool:
    if words not in ([], ["true"], ["false"]):
        problems.add("takes no value", Origin.flag(key), key, " ".join(words))
    return words != ["false"]


def _is_text(word: str) -> bool:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
