"""Numbers as text, rounded alike everywhere."""

import re

MINUS, DASH, DAGGER = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{DAGGER}"


def number(value: float) -> str:
    """Format with four decimals and no leading zero: .4284, 9.1234."""
    text = f"{abs(value):.4f}".removeprefix("0")
    return MINUS + text if value < 0 and float(text) != 0 else text


def percent(part: float) -> str:
    """Format a fraction as a signed percentage: +12.3 %."""
    text = f"{abs(part) * 100:.1f}"
    sign = "\N{PLUS-MINUS SIGN}" if float(text) == 0 else MINUS if part < 0 else "+"
    return f"{sign}{text} %"


def probability(value: float) -> str:
    """Format a p-value with two significant digits, or as an upper bound if it is tiny."""
    return "<1e-15" if value < 1e-15 else f"{value:.2g}"


def minutes(value: float) -> str:
    """Format a duration in minutes with a fitting unit: 6 seconds, 7.5 minutes, 3.2 hours."""
    if value < 1:
        return with_unit(f"{max(1, round(value * 60))} seconds")
    return f"{value:.1f} minute{'' if f'{value:.1f}' == '1.0' else 's'}" if value < 120 else f"{value / 60:.1f} hours"


def with_unit(text: str) -> str:
    """Return a text in which `1 threads`, `1 seeds` and the like are singular."""
    return re.sub(r"\b1 (CPU thread|thread|seed|epoch|minute|second|hour|run|user|item|process)(e?s)\b", r"1 \1", text)
