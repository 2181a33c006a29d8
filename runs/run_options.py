"""The options that belong to no component: the command, the components, folders and hardware."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from common.files import expanded
from common.schema import EXECUTION, LOCATION, PER_RUN, RECORD, Options
from common.texts import escaped

LONGEST_NAME = 200  # bytes of a folder's name; file systems allow 255, and `tune-pilot-` may be added
LONGEST_LABEL = 200  # characters
TABLES = "report"  # the folder of a comparison's tables, in the group


class RunOptions(Options):
    """Options that belong to no single component."""

    mode: str = Field("train", description="the command to run", json_schema_extra=RECORD)
    model_code: str | None = Field(None, description="the model, by its code; null only if the command needs no model")
    dataset_code: str = Field("ml-1m", description="the dataset, by its code")
    split: str = Field(
        "leave_one_out", description="the protocol that splits the data into training, validation and test sets"
    )
    dataloader_code: str | None = Field(None, description="how sequences become batches; null = the model's own")
    trainer_code: str | None = Field(None, description="the trainer; null = the model's own")
    seed: int = Field(0, ge=0, lt=2**63, description="random seed")
    label: str | None = Field(
        None, description="the run's name in tables; null = the model's own", json_schema_extra=RECORD
    )
    experiment_root: str = Field(
        "experiments", min_length=1, description="the folder of all runs", json_schema_extra=LOCATION
    )
    experiment_group: str | None = Field(
        None,
        min_length=1,
        description="the subfolder of runs that belong together; null = named after the dataset",
        json_schema_extra=LOCATION,
    )
    experiment_name: str | None = Field(
        None,
        min_length=1,
        description="the run's own folder; null = named after the options",
        json_schema_extra=LOCATION,
    )
    pretrained_weights: str | None = Field(
        None,
        min_length=1,
        description="weights (.safetensors) or a run's folder, to start from or to evaluate; null = none in "
        "training, the run's own best weights in evaluation",
    )
    tuned_by: str | None = Field(
        None,
        min_length=1,
        description="the folder of the search that found these options; for the record",
        json_schema_extra=RECORD,
    )
    resume_training: bool = Field(
        False, description="resume an interrupted run from its last checkpoint", json_schema_extra=PER_RUN
    )
    overwrite: bool = Field(False, description="replace the finished run in the same folder", json_schema_extra=PER_RUN)
    pilot: bool = Field(False, description="smoke test: run every step briefly; the metrics mean nothing")
    device: Literal["auto", "cpu", "cuda"] | str = Field(
        "auto",
        description="where to compute; auto = CUDA if available, else CPU; cuda:1 = the second GPU",
        json_schema_extra=EXECUTION,
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="precision of matrix multiplication; bf16 = reduced precision (TF32 on CUDA); on CPUs where torch "
        "can't reduce it, only the softmax over the catalogue uses bfloat16",
    )
    num_threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads; null = one per core", json_schema_extra=EXECUTION
    )
    max_memory: float | None = Field(
        None,
        gt=0,
        description="refuse a run whose estimated memory exceeds this, in GiB; null = what the device has free",
        json_schema_extra=EXECUTION,
    )
    verbose: bool = Field(False, description="log more details", json_schema_extra=EXECUTION)

    @field_validator("label")
    @classmethod
    def _label_is_a_line(cls, label: str | None) -> str | None:
        if label is not None and (len(label) > LONGEST_LABEL or _has_controls(label)):
            raise ValueError(f"should be a line of at most {LONGEST_LABEL} characters, without control characters")
        return label

    @field_validator("experiment_root")
    @classmethod
    def _root_is_a_path(cls, root: str) -> str:
        if _has_controls(root):
            raise ValueError("should be a path without control characters")
        return str(expanded(Path(root))) if root.startswith("~") else root

    @field_validator("experiment_group")
    @classmethod
    def _group_is_below_the_root(cls, group: str | None) -> str | None:
        wrong = [] if group is None else [part for part in group.split("/") if not _is_name(part)]
        if wrong:
            raise ValueError(f"should be a folder's name, or several joined by /, in experiment_root; {_NAME}")
        return group

    @field_validator("experiment_name")
    @classmethod
    def _name_is_a_name(cls, name: str | None) -> str | None:
        if name is not None and (not _is_name(name) or name == TABLES):
            raise ValueError(f"should be a folder's name other than {TABLES}; {_NAME}")
        return name

    @field_validator("device")
    @classmethod
    def _device_is_known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
            raise ValueError("should be auto, cpu, cuda or cuda:NUMBER")
        return device


_NAME = f"a name has at most {LONGEST_NAME} bytes, no / and no control characters, and doesn't start with a dot"


def _has_controls(text: str) -> bool:
    """Whether a text has line breaks, escape sequences or other control characters."""
    return escaped(text, len(text)) != text or "\n" in text or "\t" in text


def _is_name(text: str) -> bool:
    """Whether a text can be the name of a folder inside another one."""
    short = len(text.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
    return bool(text) and short and not text.startswith(".") and "/" not in text and not _has_controls(text)
