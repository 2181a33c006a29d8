"""Search spaces, as in `search: {lr: {log_uniform: [1e-4, 1e-2]}}`: read and checked.

Without optuna's distributions: importing optuna takes over a second, and wrong options must be reported at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from common.errors import nearest
from options.yaml_text import flow

Kind = Literal["choice", "int", "log_int", "uniform", "log_uniform"]
KINDS: tuple[Kind, ...] = ("choice", "int", "log_int", "uniform", "log_uniform")
_INTEGER = ("int", "log_int")
_LOG = ("log_int", "log_uniform")
_STEPPED = ("int", "uniform")
MAX_BOUND = 1e300  # bound of a uniform space
MAX_STEPS = 10**12
_FORM = "{choice: [a, b]}, or [low, high] under one of int, log_int, uniform, log_uniform"


@dataclass(frozen=True)
class Space:
    """The values among which one option is searched.

    Attributes
    ----------
    kind : how they are drawn
    values : the choices of kind `choice`; otherwise the bounds, both included
    step : the distance between values of `int` and `uniform`; None = every value
    """

    kind: Kind
    values: tuple[Any, ...]
    step: float | int | None = None

    @property
    def is_log(self) -> bool:
        """Whether values are drawn uniformly on a logarithmic scale."""
        return self.kind in _LOG

    @property
    def is_integer(self) -> bool:
        """Whether values are integers."""
        return self.kind in _INTEGER

    def probes(self) -> list[Any]:
        """Values that show whether all of the space is allowed: every choice, or the bounds and a value between."""
        if self.kind == "choice":
            return list(self.values)
        low, high = self.values
        middle = math.sqrt(low) * math.sqrt(high) if self.is_log else (low + high) / 2
        if self.step is not None:
            middle = low + self.step
        return [low, int(middle), high] if self.is_integer else [low, float(middle), high]

    def contains(self, value: Any) -> bool:
        """Whether `value` may be drawn."""
        if self.kind == "choice":
            return any(value == one and type(value) is type(one) for one in self.values)
        if isinstance(value, bool) or not isinstance(value, int if self.is_integer else int | float):
            return False
        low, high = self.values
        steps = (value - low) / self.step if self.step is not None else 0
        return bool(low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-9))


def read_space(raw: Any) -> Space | list[str]:
    """The space that `raw` describes, or everything that is wrong with it."""
    if not isinstance(raw, dict):
        return [f"should be a mapping: {_FORM}"]
    kinds = [key for key in raw if key in KINDS]
    wrong = []
    for key in raw:
        if key not in (*KINDS, "step"):
            hint = nearest(str(key), [*KINDS, "step"])
            wrong.append(f"there is no kind of space `{key}`; {hint or f'write {_FORM}'}")
    if len(kinds) != 1:
        return wrong or [f"should have one kind: {_FORM}"]
    kind: Kind = kinds[0]
    values = raw[kind]
    if kind == "choice":
        return [*wrong, *_wrong_choices(values, "step" in raw)] or Space(kind, tuple(values))
    wrong += _wrong_bounds(kind, values)
    if not wrong and "step" in raw:
        wrong += _wrong_step(kind, values, raw["step"])
    return wrong or Space(kind, tuple(values), raw.get("step"))


def _wrong_choices(values: Any, stepped: bool) -> list[str]:
    wrong = ["step is for int and uniform"] if stepped else []
    if not isinstance(values, list) or len(values) < 2:
        return [*wrong, "choice should be a list of two values or more"]
    texts = [flow(value) for value in values]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    return [*wrong, *(f"choice has {text} twice" for text in twice)]


def _wrong_bounds(kind: Kind, bounds: Any) -> list[str]:
    if not isinstance(bounds, list) or len(bounds) != 2:
        return [f"{kind} should be [low, high]"]
    number, largest = (int, 2**63 - 1) if kind in _INTEGER else (int | float, MAX_BOUND)
    for bound in bounds:
        if isinstance(bound, bool) or not isinstance(bound, number) or not abs(bound) <= largest:
            wanted = "integers" if kind in _INTEGER else "numbers"
            return [f"the bounds of {kind} should be {wanted}, not {flow(bound)}"]
    low, high = bounds
    wrong = [] if low < high else [f"the bounds of {kind} are the wrong way round: {low} is not below {high}"]
    if kind in _LOG and min(bounds) <= 0:
        wrong.append(f"the bounds of {kind} should be above 0")
    return wrong


def _wrong_step(kind: Kind, bounds: Sequence[float], step: Any) -> list[str]:
    if kind not in _STEPPED:
        return ["step is for int and uniform"]
    number = int if kind == "int" else int | float
    if isinstance(step, bool) or not isinstance(step, number) or not 0 < step <= bounds[1] - bounds[0]:
        return [f"step should be {'an integer' if kind == 'int' else 'a number'} above 0 and at most high - low"]
    steps = (bounds[1] - bounds[0]) / step
    if steps > MAX_STEPS:
        return [f"{flow(step)} is too small a step: it takes more than {MAX_STEPS} from {flow(bounds[0])} to the end"]
    if not math.isclose(steps, round(steps), abs_tol=1e-9):
        return [f"steps of {flow(step)} from {flow(bounds[0])} don't meet {flow(bounds[1])}"]
    return []
