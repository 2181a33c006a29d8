"""The base of every component's option schema."""

from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, field_validator

from common.files import expanded

Role = Literal["result", "input_path", "location", "execution", "per_run", "record", "search_budget"]
"""What an option is for. Declared at the field: `Field(..., json_schema_extra=LOCATION)`.

result: it decides what is computed (the default).
input_path: where input data is; its content is identified by the data's hash.
location: where files are read from or written to.
execution: how fast, on which hardware, or how verbosely the run is computed.
per_run: it concerns one start of a run (`resume_training`, `overwrite`).
record: a name or a note for tables.
search_budget: how long a search takes and where its trials run.
"""
INPUT_PATH: dict[str, Any] = {"role": "input_path"}
LOCATION: dict[str, Any] = {"role": "location"}
EXECUTION: dict[str, Any] = {"role": "execution"}
PER_RUN: dict[str, Any] = {"role": "per_run"}
RECORD: dict[str, Any] = {"role": "record"}
SEARCH_BUDGET: dict[str, Any] = {"role": "search_budget"}

_roles: dict[str, str] = {}  # option -> role, of every schema that declares one
_data_options: set[str] = set()  # of every schema with `of_data`
_renamed: dict[str, str] = {}  # former name -> current name, of every schema that declares one


class Options(BaseModel):
    """A frozen, strict set of options; a field's description is its line in `--help`.

    Unknown keys are refused. Declare fields with `pydantic.Field(default, description=...)`; an option that does not
    decide a run's results says so by `json_schema_extra` (see `Role`). A leading `~` in a path is the home folder.

    Attributes
    ----------
    renamed : former name -> current name of each renamed option. Former names are still read from templates, command
        lines and recorded runs, but `--help` doesn't show them.
    of_data : whether the options say what the prepared data is; they are identified by the data's hash
    """

    renamed: ClassVar[dict[str, str]] = {}
    of_data: ClassVar[bool] = False

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, protected_namespaces=(), allow_inf_nan=False
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for key, field in cls.model_fields.items():
            extra = field.json_schema_extra
            role = extra.get("role", "result") if isinstance(extra, dict) else "result"
            if role not in get_args(Role):
                raise TypeError(f"option {key} of {cls.__name__} has the unknown role {role!r}")
            if role != "result":
                _roles[key] = str(role)
            if cls.of_data:
                _data_options.add(key)
        for former, current in cls.renamed.items():
            if former in cls.model_fields or current not in cls.model_fields:
                raise TypeError(f"{cls.__name__} renames {former} to {current}: only the second may be its option")
            if _renamed.setdefault(former, current) != current:
                raise TypeError(f"{former} was renamed to {_renamed[former]} before, so not to {current}")

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        return expanded(value) if isinstance(value, Path) else value

    @field_validator("*")
    @classmethod
    def _has_no_nul(cls, value: Any) -> Any:
        if _has_nul(value):
            raise ValueError("Input should be text without NUL bytes")
        return value

    @field_validator("*")
    @classmethod
    def _fits_64_bits(cls, value: Any) -> Any:
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, int) and abs(number) >= 2**63 for number in numbers):
            raise ValueError("Input should be an integer of 64 bits at most")
        return value


def _has_nul(value: Any) -> bool:
    """Whether a text, or one within lists and mappings, has a NUL byte, which no path can have."""
    if isinstance(value, str | Path):
        return "\0" in str(value)
    if isinstance(value, dict):
        return any(map(_has_nul, [*value, *value.values()]))
    return isinstance(value, list | tuple | set | frozenset) and any(map(_has_nul, value))


def options_with_role(*roles: Role) -> frozenset[str]:
    """The options of all schemas imported so far that have one of these roles."""
    return frozenset(key for key, role in _roles.items() if role in roles)


def data_options() -> frozenset[str]:
    """The options of all datasets imported so far that say what the prepared data is."""
    return frozenset(key for key in _data_options if _roles.get(key, "result") in ("result", "input_path"))


def current_name(key: str) -> str:
    """The current name of an option, of all schemas imported so far."""
    return _renamed.get(key, key)


def current_names(recorded: dict[str, Any]) -> dict[str, Any]:
    """The options of a recorded run, with the current names of those that were renamed since."""
    return {current_name(key): value for key, value in recorded.items()}


def result_options(values: dict[str, Any], *more: Role) -> dict[str, Any]:
    """The options among `values` that decide a run's results, and those with the roles `more`."""
    return {key: value for key, value in values.items() if _roles.get(key, "result") in ("result", *more)}
