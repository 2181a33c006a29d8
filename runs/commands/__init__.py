"""The commands that `--mode` can name. Adding one = a module with a `Command` here, and a line in `COMMANDS`."""

from __future__ import annotations

from options import Registries, Resolved
from runs.command import Command
from runs.commands.blend import BLEND
from runs.commands.compare import COMPARE
from runs.commands.completion import completion_command
from runs.commands.datasets import DATASETS_COMMAND
from runs.commands.evaluate import TEST, VALIDATE
from runs.commands.export import EXPORT
from runs.commands.list_names import list_command
from runs.commands.recommend import RECOMMEND
from runs.commands.report import REPORT
from runs.commands.stats import STATS
from runs.commands.status import STATUS
from runs.commands.train import TRAIN
from runs.commands.tune import TUNE
from runs.logs import log_to_screen
from runs.registries import make_registries
from runs.run_options import RunOptions

COMMANDS: dict[str, Command] = {
    "train": TRAIN,
    "validate": VALIDATE,
    "test": TEST,
    "list": list_command(lambda: COMMANDS),
    "completion": completion_command(lambda: COMMANDS),
    "stats": STATS,
    "datasets": DATASETS_COMMAND,
    "tune": TUNE,
    "compare": COMPARE,
    "blend": BLEND,
    "status": STATUS,
    "export": EXPORT,
    "recommend": RECOMMEND,
    "report": REPORT,
}


def load_registries() -> Registries:
    """The registries with all commands."""
    return make_registries(COMMANDS)


def run(resolved: Resolved) -> int:
    """Run the command that the options name; returns the exit code."""
    log_to_screen(resolved.section("run", RunOptions).verbose)
    return COMMANDS[resolved.command].run(resolved)
