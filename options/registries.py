"""The registries that options are read against: a value, so that tests can bring their own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.schema import Options
from options.run_options import RunOptions

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
KINDS = {  # section: (option that chooses the component, attribute of Registries)
    "dataset": ("dataset_code", "datasets"),
    "split": ("split", "splits"),
    "model": ("model_code", "models"),
    "dataloader": ("dataloader_code", "dataloaders"),
    "trainer": ("trainer_code", "trainers"),
}


class Component(Protocol):
    """What a registry holds: a class with its options. Models also have `dataloader_code` and `trainer_code`."""

    @property
    def Options(self) -> type[Options]:
        """The component's schema."""


class Mode(Protocol):
    """What `--mode` can name."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of options that the mode uses; one that is named as no component is the mode's own."""

    @property
    def Options(self) -> type[Options] | None:
        """The schema of the mode's own section, or None where it has none."""

    @property
    def listed(self) -> Callable[[Any, str], list[str]] | None:
        """The codes of the datasets that the mode's own options list, from those and dataset_code; None: no mode's."""


@dataclass(frozen=True)
class Registries:
    """Everything that can be chosen, by its code."""

    datasets: Mapping[str, Any]
    splits: Mapping[str, Any]
    dataloaders: Mapping[str, Any]
    models: Mapping[str, Any]
    trainers: Mapping[str, Any]
    modes: Mapping[str, Any]
    evaluation: type[Options]
    templates: Path = TEMPLATES

    def of(self, kind: str) -> Mapping[str, Any]:
        """The registry of a section in `KINDS`."""
        registry: Mapping[str, Any] = getattr(self, KINDS[kind][1])
        return registry

    def everything(self) -> Iterator[tuple[str, str, type[Options]]]:
        """(section, code, schema) of all that there is; the code of run and evaluation is ""."""
        yield "run", "", RunOptions
        yield "evaluation", "", self.evaluation
        for kind in KINDS:
            for code, component in self.of(kind).items():
                yield kind, code, component.Options
        for code, mode in self.modes.items():
            if mode.Options is not None:
                yield "mode", code, mode.Options


def load_registries() -> Registries:
    """The real registries. Imports every component, and torch with them: call it as late as possible."""
    from dataloaders import DATALOADERS  # noqa: PLC0415
    from datasets import DATASETS, SPLITS  # noqa: PLC0415
    from evaluation.options import EvaluationOptions  # noqa: PLC0415
    from models import MODELS  # noqa: PLC0415
    from runs import MODES  # noqa: PLC0415
    from trainers import TRAINERS  # noqa: PLC0415

    return Registries(DATASETS, SPLITS, DATALOADERS, MODELS, TRAINERS, MODES, EvaluationOptions)
