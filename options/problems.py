"""What is wrong with the options: collected, and told all at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.errors import OptionsError, nearest


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which option, with which value, from where."""

    message: str
    origin: str = ""
    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        if not self.key:
            return ": ".join(part for part in (self.origin, self.message) if part)
        if self.origin in ("", f"--{self.key}"):
            return f"--{self.key} {self.value}".rstrip() + f": {self.message}"
        return f"{self.origin}: {self.key}: {self.value}: {self.message}"


@dataclass
class Problems:
    """A list of problems without repetitions."""

    found: list[Problem] = field(default_factory=list)

    def add(self, message: str, origin: str = "", key: str = "", value: str = "") -> None:
        """Note a problem, unless it is noted."""
        problem = Problem(message, origin, key, value)
        if problem not in self.found:
            self.found.append(problem)

    def extend(self, others: Iterable[Problem]) -> None:
        """Note several problems, each once."""
        for problem in others:
            self.add(problem.message, problem.origin, problem.key, problem.value)

    def raise_if_any(self) -> None:
        """Raise one `OptionsError` that lists them all.

        Raises:
            OptionsError: there is at least one problem.
        """
        if self.found:
            count = len(self.found)
            head = "1 option is wrong" if count == 1 else f"{count} options are wrong"
            lines = "\n".join(f"  {problem}" for problem in self.found)
            raise OptionsError(f"{head}; nothing was started or written.\n{lines}\nSee --help, with your templates.")


def unknown_choice(what: str, name: str, names: Iterable[str]) -> str:
    """The message for a code that no registry has."""
    listed = sorted(names)
    hint = nearest(name, listed)
    text = f"there is no {what} `{name}`"
    return (
        f"{text}; {hint} There are: {', '.join(listed)}."
        if hint
        else f"{text}. There are: {', '.join(listed) or 'none'}."
    )
