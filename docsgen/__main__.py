"""`python -m docsgen [--check]`: update the generated parts of README.md and docs/, or only check them."""

import argparse
import sys

from common.errors import UserError
from docsgen.parts import ROOT, all_parts, missing_cards
from reports import block_difference, update_block


def main(words: list[str] | None = None) -> int:
    """Return 0 if all parts are (now) up to date and each model has a card, else 1."""
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
    for code in missing_cards():
        text = "has no card: copy docs/models/TEMPLATE.md to"
        print(f"model {code} {text} docs/models/{code}.md and fill it in", file=sys.stderr)
    if outdated:
        print(f"{outdated} parts are out of date: run python -m docsgen", file=sys.stderr)
    if outdated or missing_cards():
        return 1
    print(f"{len(parts)} generated parts are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
