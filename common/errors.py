"""Errors that a user can cause and can mend. `main` prints their message without a traceback."""


class UserError(Exception):
    """Something that the user gave is wrong; the message says what, where it came from and what to do."""

    exit_code = 1


class OptionsError(UserError):
    """One or more options are wrong; the message lists every one of them."""

    exit_code = 2
