"""Numbers and tables as Markdown."""

from collections.abc import Sequence


def number(value: float) -> str:
    """Format with four decimals and no leading zero: .4284, 1.0461."""
    return f"{value:.4f}".removeprefix("0")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A Markdown table; the columns at the places `left` are aligned to the left, all others to the right."""
    aligned = {place % len(headings) for place in left}
    rules = ["---" if place in aligned else "---:" for place in range(len(headings))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(headings), rules, *rows])
