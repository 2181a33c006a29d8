"""The options that belong to no component: the command, the components, folders and hardware."""

from typing import Literal

from pydantic import Field

from common.schema import EXECUTION, LOCATION, PER_RUN, RECORD, Options


class RunOptions(Options):
    """Options that belong to no single component."""

    mode: str = Field("train", description="the command to run", json_schema_extra=RECORD)
    model_code: str | None = Field(None, description="the model, by its code; null only if the mode needs no model")
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
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to compute; auto = CUDA if available, else CPU", json_schema_extra=EXECUTION
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="precision of matrix multiplication; bf16 = reduced precision (TF32 on CUDA); on CPUs where torch "
        "can't reduce it, only the softmax over the catalogue uses bfloat16",
    )
    num_threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads; null = as many as cores", json_schema_extra=EXECUTION
    )
    verbose: bool = Field(False, description="log more details", json_schema_extra=EXECUTION)
