"""Lists the generated parts of README.md and docs/."""

from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from docsgen.cards import card_results
from docsgen.records import recorded_runs
from models import MODELS
from reports import ReportOptions, report
from runs.commands import load_registries

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CARDS = DOCS / "models"
RESULT_METRICS = ("NDCG@10", "Recall@10", "NDCG@100", "RMSE", "MAE")


@dataclass(frozen=True)
class Part:
    """The text of one block. `name` is the NAME of <!-- results:NAME -->, None for <!-- results -->."""

    path: Path
    name: str | None
    text: str


def all_parts() -> list[Part]:
    """Make the text of every generated part from results/ and the registries.

    Raises UserError if a model has no card.
    """
    load_registries()  # a report must know of every option whether it decides results
    tables = report([str(ROOT / "results")], ReportOptions(metrics=RESULT_METRICS)).block()
    return [*card_parts(), Part(DOCS / "results.md", None, tables)]


def card_parts() -> list[Part]:
    """The results part of each model's card. Raises UserError if a model has no card."""
    missing = [code for code in MODELS if not (CARDS / f"{code}.md").is_file()]
    if missing:
        raise UserError(
            f"no model card for {', '.join(missing)}: copy docs/models/TEMPLATE.md to docs/models/<code>.md and fill "
            "it in"
        )
    runs = recorded_runs(ROOT / "results")
    return [Part(CARDS / f"{code}.md", None, card_results(code, runs)) for code in MODELS]
