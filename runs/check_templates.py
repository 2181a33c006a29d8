"""`python -m runs.check_templates`: parse every shipped template against the real schemas."""

import sys

from common.errors import UserError
from options import parse
from options.templates import template_names
from runs.commands import load_registries


def main() -> int:
    """Print each template with "ok" or its errors; return 0 if all are valid, else 1."""
    registries = load_registries()
    names = template_names(registries.templates)
    wrong = 0
    for name in names:
        try:
            resolved = parse(["--templates", name], registries)
        except UserError as error:
            wrong += 1
            print(f"{name}: {error}")
        else:
            print(f"{name}: ok (command {resolved.command}{f', {len(resolved.runs)} runs' if resolved.runs else ''})")
    print(f"{len(names)} templates, {wrong} wrong")
    return 1 if wrong or not names else 0


if __name__ == "__main__":
    sys.exit(main())
