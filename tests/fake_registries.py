"""Small registries for reading options, without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from common.schema import Options
from evaluation.options import EvaluationOptions
from options import Registries
from runs.command import Command
from runs.comparison.options import CompareOptions
from runs.comparison.resolve import resolve_compare
from runs.run_options import RunOptions
from trainers.options import TrainerOptions


class DataOptions(Options):
    min_uc: int = Field(5, ge=0, description="least interactions of a user")
    min_rating: float | None = Field(0, description="least rating")
    folder: Path = Field(Path("Data"), description="where files are")


class FileOptions(DataOptions):
    dataset_path: str = Field(description="the file")


class PartOptions(Options):
    """Options of a trainer or dataloader that any model can use."""

    def model_conflict(self, model_code: str, fact: bool) -> None:
        return None


class SplitOptions(PartOptions):
    pass


class WindowOptions(PartOptions):
    train_window: int | None = Field(4, ge=0, description="step between windows")
    max_len: int = Field(128, ge=2, description="longest window")


class VaeOptions(Options):
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout on the input")
    weight_type: Literal["exp_stair", "constant"] = Field("exp_stair", description="position weights")
    decoder_activation: Literal["relu", "none"] = Field("relu", description="of the decoder")
    hidden: list[int] = Field([512], description="layer widths")


class PopOptions(Options):
    smoothing: float = Field(0.0, ge=0, description="added to each count")


class GenericOptions(TrainerOptions):
    lr: float = Field(1e-3, gt=0, description="learning rate")
    num_epochs: int | None = Field(None, ge=0, description="at most so many epochs")
    clip: float = Field(5.0, description="any number")


class TransferOptions(GenericOptions):
    recover_len: int | None = Field(None, ge=1, description="first stage")
    train_transfer: bool = Field(True, description="train in stages")


def component(options: type[Options], *bases: type, **more: Any) -> type:
    return type("Component", bases, {"Options": options, **more})


GENERIC = component(GenericOptions)


def model(options: type[Options], dataloader: str, trainer: str) -> type:
    fits = classmethod(lambda cls, sections: None)
    timed = classmethod(lambda cls, own: False)
    facts = {"code": "fake", "has_stages": True, "conflict": fits, "knows_request_time": timed}
    return component(options, dataloader_code=dataloader, trainer_code=trainer, **facts)


def loader(code: str, options: type[Options]) -> type:
    return component(options, code=code, predicts_ratings=False, ranks=True)


TRAIN = ("run", "dataset", "split", "dataloader", "model", "trainer", "evaluation")


class StatsOptions(Options):
    datasets: tuple[str, ...] = Field((), description="codes")


def listed(options: StatsOptions, dataset_code: str) -> list[str]:
    return list(options.datasets)


def protocol_conflict(sections: Mapping[str, Options]) -> str | None:
    """A conflict between the evaluation, the split and the dataloader."""
    run, evaluation = sections["run"], sections.get("evaluation")
    if not isinstance(run, RunOptions) or not isinstance(evaluation, EvaluationOptions):
        return None
    return evaluation.conflict(run.split, False, loader(str(run.dataloader_code), SplitOptions))


def nothing(resolved: Any) -> int:
    return 0


def fake_registries(templates: Path) -> Registries:
    return Registries(
        run=RunOptions,
        components={
            "dataset": {
                "ml-1m": component(DataOptions),
                "ml-20m": component(DataOptions),
                "file": component(FileOptions),
            },
            "split": {"leave_one_out": component(SplitOptions, predicts_ratings=False)},
            "dataloader": {"vae": loader("vae", WindowOptions), "none": loader("none", SplitOptions)},
            "model": {"vae": model(VaeOptions, "vae", "vae"), "pop": model(PopOptions, "none", "generic")},
            "trainer": {"vae": component(TransferOptions, GENERIC), "generic": GENERIC},
        },
        shared={"evaluation": EvaluationOptions},
        commands={
            "train": Command(TRAIN, nothing),
            "stats": Command(("run", "dataset", "stats"), nothing, StatsOptions, listed=listed),
            "compare": Command(
                ("run", "compare"), nothing, CompareOptions, resolve=resolve_compare, overrides_runs=True
            ),
        },
        conflicts=(protocol_conflict,),
        templates=templates,
    )
