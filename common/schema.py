"""Base class of all option schemas."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from common.files import expanded


class Options(BaseModel):
    """Frozen, strictly validated options of one component.

    Declare fields with `pydantic.Field(default, description=...)`; the description is the option's `--help` text.
    Unknown keys are errors. A leading `~` in a path is expanded to the home folder.
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
            raise ValueError("Input should be an integer of at most 64 bits")
        return value
