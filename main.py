"""Train, evaluate and compare sequential recommenders: `python main.py --help`."""

import os
import re
import sys

NOT_INSTALLED = "is not installed. Install the requirements: pip install -r requirements.txt"

try:
    import options
    from common.errors import UserError, is_user_facing
    from runs.without_torch import PROJECT, StandInError, refuse_torch, without_torch
except ModuleNotFoundError as missing:
    sys.exit(f"error: {missing.name} {NOT_INSTALLED}")

WRITABLE = "\nChoose folders that you may write to: --experiment_root for runs, --local_data_folder for data"
OUT_OF_MEMORY = "allocate memory|out of memory|calculation overflowed"  # torch has no class of its own for the CPU's


def _load_registries() -> options.Registries:
    """Everything that can be chosen. Takes a while, and usage and `--version` do without."""
    from runs.commands import load_registries  # noqa: PLC0415

    return load_registries()


def _load_without_torch() -> options.Registries:
    try:
        return _load_registries()
    except Exception as error:  # whatever a module does with torch when it is imported
        raise StandInError from error


def _run(argv: list[str]) -> int:
    """Read the options and run the command. Torch is loaded only if the options are right and the command needs it."""
    with without_torch() as is_replaced:
        if is_replaced:
            try:
                resolved = options.parse(argv, _load_without_torch)
                from runs import commands  # noqa: PLC0415

                if not commands.COMMANDS[resolved.mode].needs_torch:
                    refuse_torch()
                    return commands.run(resolved)
            except StandInError:
                pass
    resolved = options.parse(argv, _load_registries)
    from runs import commands  # noqa: PLC0415

    return commands.run(resolved)


def _explain(error: BaseException) -> tuple[str, int] | None:
    """(message, exit code) of an error that a user can understand without a traceback; None of any other."""
    if isinstance(error, UserError):
        return f"error: {error}", error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] not in PROJECT:
        return f"error: {error.name} {NOT_INSTALLED}", 1
    if is_user_facing(error):
        return f"error: {error}{WRITABLE if isinstance(error, PermissionError) else ''}", 1
    full = isinstance(error, RuntimeError) and re.search(OUT_OF_MEMORY, str(error))
    if full or isinstance(error, MemoryError):
        return f"error: out of memory: {error}\nUse smaller batches or a smaller model", 1
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted{f': {error}' if str(error) else ''}", 130
    return None


def run(argv: list[str]) -> int:
    """Run the command that the command line asks for; returns the exit code."""
    try:
        return _run(argv)
    except options.HelpRequested as asked:
        print(asked.text)
        return asked.exit_code
    except (Exception, KeyboardInterrupt) as error:
        explained = _explain(error)
        if explained is None:
            raise
        print(explained[0], file=sys.stderr)
        return explained[1]


def main() -> int:
    """`run` on the process's own command line; a closed output (`| head`) is no error."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
