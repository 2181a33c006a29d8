"""Options of models that add items' features to their embeddings."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from common.files import expanded
from common.schema import Options


class FeaturedOptions(Options):
    """Options of models with item embeddings that features can be added to."""

    item_features: Path | None = Field(
        None,
        description="a .csv, .tsv or .parquet file of items' features, which are added to their embeddings: a column "
        "of item ids; text and integers are categories (several as a|b), real numbers and lists are vectors",
    )

    @field_validator("item_features")
    @classmethod
    def _features_are_there(cls, path: Path | None) -> Path | None:
        if path is not None and not expanded(path).is_file():
            raise ValueError("there is no such file")
        return path
