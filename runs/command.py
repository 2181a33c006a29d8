"""What a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.schema import Options
from options import Resolved
from options.registries import Resolve


@dataclass(frozen=True)
class Command:
    """What `--mode` can name.

    Attributes
    ----------
    sections : the sections of options that it uses; the last is its own if it has a schema of its own
    run : runs it and returns the exit code
    Options : the schema of its own section; None if it has none
    listed : from its own options and dataset_code to the codes of the datasets that they list; None if they list none
    resolve : how it resolves its options; None = like every command
    overrides_runs : whether options of its runs' components may be given, to override theirs
    """

    sections: tuple[str, ...]
    run: Callable[[Resolved], int]
    Options: type[Options] | None = None
    listed: Callable[[Any, str], list[str]] | None = None
    resolve: Resolve | None = None
    overrides_runs: bool = False
