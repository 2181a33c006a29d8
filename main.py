"""Train, evaluate and compare sequential recommenders: `python main.py --help`."""

import re
import sys

NOT_INSTALLED = "is not installed. Install the requirements: pip install -r requirements.txt"

try:
    import options
    from common.errors import UserError, is_user_facing
    from common.interrupts import end_at_once_when_interrupted, handle_sigterm_as_interrupt
    from common.std_streams import open_std_streams
    from common.texts import escaped
    from runs.without_torch import PROJECT, StandInError, refuse_torch, without_torch
except ModuleNotFoundError as missing:
    sys.exit(f"error: {missing.name} {NOT_INSTALLED}")
except KeyboardInterrupt:
    sys.exit(130)

WRITABLE = "\nChoose folders that you may write to: --experiment_root for runs, --local_data_folder for data"
LONGEST_MESSAGE = 20_000  # characters
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

                if not commands.COMMANDS[resolved.command].needs_torch:
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
    before, sys.argv = sys.argv, ["main.py", *argv]  # what runs record, and what their processes inherit
    try:
        return _run(argv)
    except options.HelpRequested as asked:
        print(asked.text)
        return asked.exit_code
    except (Exception, KeyboardInterrupt) as error:
        explained = _explain(error)
        if explained is None:
            raise
        print(escaped(explained[0], LONGEST_MESSAGE), file=sys.stderr)
        return explained[1]
    finally:
        sys.argv = before


def main() -> int:
    """`run` on the process's own command line. An output that can't be written doesn't stop it, but is reported."""
    output = open_std_streams()
    handle_sigterm_as_interrupt()
    try:
        try:
            code = run(sys.argv[1:])
            sys.stdout.flush()
        finally:
            end_at_once_when_interrupted()
    except KeyboardInterrupt:  # a second one, while the first was handled
        code = 130
    if output is None or output.failure is None:
        return code
    if isinstance(output.failure, BrokenPipeError):  # `| head`
        return 141
    print(f"error: the output couldn't be written: {output.failure}", file=sys.stderr)
    return code or 1


if __name__ == "__main__":
    sys.exit(main())
