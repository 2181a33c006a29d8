"""The base of every component's option schema."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from common.files import expanded


class Options(BaseModel):
    """A frozen, strict set of options; a field's description is its line in `--help`.

    Unknown keys are refused. Fields are declared with `pydantic.Field(default, description=...)`. In a path a leading
    `~` is the home folder, as where a shell reads it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _at_home(cls, value: Any) -> Any:
        return expanded(value) if isinstance(value, Path) else value

    @field_validator("*")
    @classmethod
    def _has_64_bits(cls, value: Any) -> Any:
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, int) and abs(number) >= 2**63 for number in numbers):
            raise ValueError("Input should be an integer of 64 bits at most")
        return value
