"""The base of every component's option schema."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A frozen, strict set of options; a field's description is its line in `--help`.

    Unknown keys are refused. Fields are declared with `pydantic.Field(default, description=...)`.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, protected_namespaces=(), allow_inf_nan=False
    )
