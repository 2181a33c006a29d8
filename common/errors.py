"""Errors that a user can cause and fix. `main` prints their message without a traceback."""

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100  # characters of a name that is compared with others
SYNONYMS = {  # common names for what is called differently here
    "gpu": "cuda",
    "batch_size": "train_batch_size",
    "data": "dataset_code",
    "dataset": "dataset_code",
    "embedding_dim": "hidden_units",
    "embedding_size": "hidden_units",
    "epochs": "num_epochs",
    "learning_rate": "lr",
    "max_epochs": "num_epochs",
    "max_seq_length": "max_len",
    "model": "model_code",
    "negatives": "train_negative_sample_size",
    "output": "experiment_root",
    "patience": "saturation_wait_epochs",
    "random_seed": "seed",
    "resume": "resume_training",
    "template": "templates",
    "threads": "num_threads",
    "trainer": "trainer_code",
}


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
    if len(name) > LONGEST_NAME:
        return ""
    known = {candidate.lower().replace("-", "_"): candidate for candidate in names}
    known |= {other: known[word] for other, word in SYNONYMS.items() if word in known and other not in known}
    match = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"did you mean `{known[match[0]]}`?" if match else ""
