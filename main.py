"""Train, evaluate and compare sequential recommenders: `python main.py --help`."""

import os
import re
import sys

import options
from common.errors import UserError, is_user_facing

WRITABLE = "\nChoose folders that you may write to: --experiment_root for runs, --local_data_folder for data"


def _load_registries() -> options.Registries:
    """Everything that can be chosen. Imports torch, which usage and `--version` do without."""
    from runs.commands import load_registries  # noqa: PLC0415

    return load_registries()


def run(argv: list[str]) -> int:
    """Run the command that the command line asks for; returns the exit code."""
    try:
        resolved = options.parse(argv, _load_registries)
        from runs.commands import run as run_command  # noqa: PLC0415  (it imports torch)

        return run_command(resolved)
    except options.HelpRequested as asked:
        print(asked.text)
        return asked.exit_code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if not is_user_facing(error):
            raise
        print(f"error: {error}{WRITABLE if isinstance(error, PermissionError) else ''}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:  # torch has no class of its own for the CPU's memory
        if not isinstance(error, MemoryError) and not re.search(
            "allocate memory|out of memory|calculation overflowed", str(error)
        ):
            raise
        print(f"error: out of memory: {error}\nUse smaller batches or a smaller model", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stopped:
        print(f"interrupted{f': {stopped}' if str(stopped) else ''}", file=sys.stderr)
        return 130


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
