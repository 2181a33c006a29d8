"""`python -m docsgen [--check]`: update the generated parts of README.md and docs/, or only check them."""

import argparse
import sys

from common.errors import UserError
from docsgen.parts import ROOT, all_parts
from reports import block_difference, update_block


def main(words: list[str] | None = None) -> int:
    """Return 0 if all parts are (now) up to date, 1 if `--check` finds one that isn't or a page has no place for its
    part.
    """
    parser = argparse.ArgumentParser(prog="python -m docsgen", description="Update the generated parts of the docs.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a part is out of date")
    check = parser.parse_args(words).check
    try:
        parts = all_parts()
        outdated = 0
        for part in parts:
            path = part.path.relative_to(ROOT)
            if check:
                difference = block_difference(part.path, part.name, part.text)
                if difference:
                    print(difference)
                    outdated += 1
            elif update_block(part.path, part.name, part.text):
                print(f"{path}: updated")
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    if outdated:
        print(f"{outdated} parts are out of date: run python -m docsgen", file=sys.stderr)
        return 1
    print(f"{len(parts)} generated parts are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
