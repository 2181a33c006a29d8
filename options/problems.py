"""Problems with the options, collected and reported together."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.errors import OptionsError, nearest
from common.texts import escaped
from options.origin import Origin

LONGEST_VALUE, LONGEST_MESSAGE = 200, 2000  # characters
MAX_LISTED = 50


@dataclass(frozen=True)
class Problem:
    """One problem: the option, its value and its origin, or `about` if it concerns no single option."""

    message: str
    origin: Origin | None = None
    key: str = ""
    value: str = ""
    about: str = ""

    def __str__(self) -> str:
        message = escaped(self.message, LONGEST_MESSAGE)
        if not self.key:
            place = self.about or ("" if self.origin is None else str(self.origin))
            return ": ".join(part for part in (place, message) if part)
        key, value = escaped(self.key, LONGEST_VALUE), escaped(self.value, LONGEST_VALUE)
        if self.origin is None or self.origin == Origin.flag(self.key):
            return f"--{key} {value}".rstrip() + f": {message}"
        return f"{self.origin}: {key}: {value}: {message}"


@dataclass
class Problems:
    """A list of problems without repetitions."""

    found: list[Problem] = field(default_factory=list)

    def add(self, message: str, origin: Origin | None = None, key: str = "", value: str = "", about: str = "") -> None:
        """Add a problem, once."""
        self.extend([Problem(message, origin, key, value, about)])

    def extend(self, others: Iterable[Problem]) -> None:
        """Add several problems, each once."""
        for problem in others:
            if problem not in self.found:
                self.found.append(problem)

    def raise_if_any(self, hint: str = "") -> None:
        """Raise one `OptionsError` that lists all problems, if there are any; `hint` becomes its last line.

        Raises
        ------
        OptionsError
            There is at least one problem.
        """
        if self.found:
            count = len(self.found)
            head = "1 option is wrong" if count == 1 else f"{count} options are wrong"
            lines = "\n".join(f"  {problem}" for problem in self.found[:MAX_LISTED])
            if count > MAX_LISTED:
                lines += f"\n  and {count - MAX_LISTED} more"
            raise OptionsError(f"{head}; nothing was started or written.\n{lines}" + (f"\n{hint}" if hint else ""))


def unknown_choice(what: str, name: str, names: Iterable[str]) -> str:
    """The message for a name that doesn't exist."""
    listed = sorted(names)
    hint = nearest(name, listed)
    text = f"there is no {what} `{name}`"
    available = f"Available: {', '.join(listed) or 'none'}."
    return f"{text}; {hint} {available}" if hint else f"{text}. {available}"
