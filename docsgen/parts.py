"""Lists the generated parts of README.md and docs/."""

from dataclasses import dataclass
from pathlib import Path

from docsgen.cards import card_results
from docsgen.commands import reproduce
from docsgen.exports import export_table
from docsgen.headline import Recorded, findings, forest_plot, headline_table
from docsgen.peers import peers_table
from docsgen.records import recorded_runs
from models import MODELS
from reports import ReportOptions, report
from runs.commands import load_registries

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RESULTS = ROOT / "results"
CARDS = DOCS / "models"
RESULT_METRICS = ("NDCG@10", "Recall@10", "NDCG@100", "RMSE", "MAE")


@dataclass(frozen=True)
class Part:
    """The text of one block. `name` is the NAME of <!-- results:NAME -->, None for <!-- results -->."""

    path: Path
    name: str | None
    text: str


def all_parts() -> list[Part]:
    """Make the text of every generated part from results/ and the registries."""
    load_registries()  # a report must know of every option whether it decides results
    tables = report([str(RESULTS)], ReportOptions(metrics=RESULT_METRICS)).block()
    groups = recorded_runs(RESULTS)
    recorded = Recorded(groups)
    return [
        *card_parts(),
        Part(CARDS / "index.md", "cards", card_links()),
        Part(DOCS / "results.md", None, tables),
        Part(DOCS / "reproduce.md", None, reproduce(groups)),
        Part(ROOT / "README.md", "findings", findings(recorded)),
        Part(ROOT / "README.md", "headline", headline_table(recorded)),
        Part(DOCS / "benchmarks.md", "peers", peers_table(ROOT / "benchmarks" / "recorded" / "peers.json")),
        Part(DOCS / "serving.md", "export", export_table()),
        Part(DOCS / "pictures" / "headline.svg", None, forest_plot(recorded)),
    ]


def card_parts() -> list[Part]:
    """The results part of each model card."""
    runs = recorded_runs(RESULTS)
    return [
        Part(CARDS / f"{code}.md", None, card_results(code, runs)) for code in MODELS if code not in missing_cards()
    ]


def card_links() -> str:
    """Links to all cards, in the order of the registry."""
    titles = {
        code: (CARDS / f"{code}.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").rpartition(" (")[0]
        for code in MODELS
        if code not in missing_cards()
    }
    return ", ".join(f"[{title}]({code}.md)" for code, title in titles.items())


def missing_cards() -> list[str]:
    """The models without a card."""
    return [code for code in MODELS if not (CARDS / f"{code}.md").is_file()]
