"""Numbers with their nouns, in messages."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 epoch", "2,000 users"; `plural` if it isn't the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
