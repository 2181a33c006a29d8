"""The options of a run as a whole: what to do, with which components, where, on which machine."""

from typing import Literal

from pydantic import Field

from common.schema import Options


class RunOptions(Options):
    """Options that belong to no single component."""

    mode: str = Field("train", description="what to do: train, validate, test, stats, compare, report, ...")
    model_code: str | None = Field(None, description="the model, by its code; null only where the mode needs no model")
    dataset_code: str = Field("ml-1m", description="the dataset, by its code")
    split: str = Field("leave_one_out", description="the protocol that makes training, validation and test sets")
    dataloader_code: str | None = Field(None, description="how sequences become batches; null = the model's own")
    trainer_code: str | None = Field(None, description="the trainer; null = the model's own")
    seed: int = Field(0, ge=0, lt=2**63, description="where every random draw of the run starts")
    label: str | None = Field(None, description="the run's name in tables; null = the model's own")
    experiment_root: str = Field("experiments", min_length=1, description="the folder that holds all runs")
    experiment_group: str | None = Field(
        None, min_length=1, description="the folder of runs that belong together; null = derived"
    )
    experiment_name: str | None = Field(
        None, min_length=1, description="the run's own folder; null = derived from the options"
    )
    pretrained_weights: str | None = Field(
        None,
        min_length=1,
        description="weights (.safetensors) to start from, or to validate or test; null = none, or the run's best",
    )
    tuned_by: str | None = Field(
        None, min_length=1, description="the folder of the search that found these options; for the record"
    )
    resume_training: bool = Field(False, description="go on with an interrupted run from its last checkpoint")
    overwrite: bool = Field(False, description="replace a finished run of the same folder")
    pilot: bool = Field(False, description="a run in seconds that touches every step, to see that all works")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to compute; auto = CUDA if there, else CPU"
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="matrix products; bf16 rounds their factors (TF32 on CUDA), or, where the CPU does no more for it, "
        "factors and results of those in the softmax over the catalogue",
    )
    num_threads: int | None = Field(None, ge=1, le=4096, description="CPU threads; null = as many as cores")
    verbose: bool = Field(False, description="tell more in the log")
