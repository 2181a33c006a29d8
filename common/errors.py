"""Errors that a user can cause and can mend. `main` prints their message without a traceback."""

import difflib
from collections.abc import Iterable

SYNONYMS = {"gpu": "cuda"}  # what looks like another value than the one that is meant


class UserError(Exception):
    """Something that the user gave is wrong; the message says what, where it came from and what to do."""

    exit_code = 1


class OptionsError(UserError):
    """One or more options are wrong; the message lists every one of them."""

    exit_code = 2


class DivergedError(UserError):
    """Training went where no numbers are: a loss, a score or a prediction is NaN or infinite."""


def is_told(error: BaseException) -> bool:
    """Whether an error's message alone says what happened, so that no traceback is needed: one of ours, or one of the
    system's (a disk that is full, a file that may not be read)."""
    system = isinstance(error, OSError) and error.errno is not None and not isinstance(error, BrokenPipeError)
    return system or isinstance(error, UserError)


def nearest(name: str, names: Iterable[str]) -> str:
    """ "did you mean `x`?" for the name that is nearest to `name`, or "" where none is near."""
    known = {candidate.lower().replace("-", "_"): candidate for candidate in names}
    if SYNONYMS.get(name.lower()) in known:
        return f"did you mean `{known[SYNONYMS[name.lower()]]}`?"
    match = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"did you mean `{known[match[0]]}`?" if match else ""
