"""The type of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.schema import Options
from options import Resolved
from options.registries import Resolve

# Returns why the options of a command's sections can't be combined; None if they can.
Conflict = Callable[[Mapping[str, Options]], str | None]


@dataclass(frozen=True)
class Command:
    """A command, chosen by `--mode`.

    Attributes
    ----------
    sections : the sections of options that it uses; if it has a schema, the last section is its own
    run : runs the command and returns the exit code
    Options : the schema of its own section; None if it has none
    listed : returns the codes of the datasets listed in its own options, given those and dataset_code; None if it
        lists no datasets
    resolve : resolves its options; None = the standard way, `options.resolve.resolve`
    overrides_runs : whether options of its runs' components may be given, to override those of the runs
    conflict : why options, each valid alone, can't be combined; it gets the sections of any command
    description : what it does, in a few words, for `--help` and `--mode list commands`
    main_option : the option whose value may follow the command's name, as in `--mode list models`
    needs_torch : whether it uses torch; other commands start without loading it
    """

    sections: tuple[str, ...]
    run: Callable[[Resolved], int]
    Options: type[Options] | None = None
    listed: Callable[[Any, str], list[str]] | None = None
    resolve: Resolve | None = None
    overrides_runs: bool = False
    conflict: Conflict | None = None
    description: str = ""
    main_option: str | None = None
    needs_torch: bool = True
