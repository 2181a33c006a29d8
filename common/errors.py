"""Errors that a user can cause and fix. `main` prints their message without a traceback."""

import difflib
from collections.abc import Iterable

SYNONYMS = {"gpu": "cuda"}  # common names for a value that is spelled differently here


class UserError(Exception):
    """Invalid input from the user; the message says what is wrong, where it came from and how to fix it."""

    exit_code = 1


class OptionsError(UserError):
    """One or more invalid options; the message lists all of them."""

    exit_code = 2


class DivergedError(UserError):
    """Training diverged: a loss, a score or a prediction is NaN or infinite."""


def is_user_facing(error: BaseException) -> bool:
    """Whether the message of `error` suffices without a traceback.

    True for `UserError` and for errors of the operating system, such as a full disk or a file without read permission.
    """
    system = isinstance(error, OSError) and error.errno is not None and not isinstance(error, BrokenPipeError)
    return system or isinstance(error, UserError)


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the closest of `names`, as "did you mean `x`?"; an empty string if none is close."""
    known = {candidate.lower().replace("-", "_"): candidate for candidate in names}
    if SYNONYMS.get(name.lower()) in known:
        return f"did you mean `{known[SYNONYMS[name.lower()]]}`?"
    match = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"did you mean `{known[match[0]]}`?" if match else ""
