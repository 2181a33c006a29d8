"""The generated parts of README.md and docs/ are up to date, and each model has a card in the form of TEMPLATE.md."""

import re
from pathlib import Path

import pytest

from docsgen.__main__ import main
from docsgen.cards import card_results
from docsgen.parts import CARDS, card_parts
from docsgen.records import Group, recorded_runs
from models import MODELS
from reports.block import with_block

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return recorded_runs(RESULTS)


def headings(path: Path) -> list[str]:
    """The `##` headings of a page."""
    return re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_card_results_are_up_to_date() -> None:
    outdated = [part.path.name for part in card_parts() if len(set(with_block(part.path, part.name, part.text))) > 1]
    assert not outdated, "run python -m docsgen"


@pytest.mark.parametrize("code", MODELS)
def test_title_names_the_code(code: str) -> None:
    assert re.fullmatch(rf"# .+ \(`{code}`\)", (CARDS / f"{code}.md").read_text(encoding="utf-8").splitlines()[0])


def test_card_shows_recorded_values(groups: list[Group]) -> None:
    group = next(group for group in groups if group.label == "MARank")
    text = card_results("marank", groups)
    assert f"{group.runs[0].record.test['full']['NDCG@10']:.4f}".removeprefix("0") in text
    assert "| MARank | pop-100 | .3548 | .5993 |" in text  # published


def test_card_without_runs_says_so(groups: list[Group]) -> None:
    assert card_results("none", groups).startswith("No run of this model")


def test_check_reports_outdated_parts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    part = card_parts()[0]
    monkeypatch.setattr("docsgen.__main__.all_parts", lambda: [part])
    assert main(["--check"]) == 0
    monkeypatch.setattr("docsgen.__main__.all_parts", lambda: [type(part)(part.path, part.name, "other")])
    assert main(["--check"]) == 1
    assert "run python -m docsgen" in capsys.readouterr().err
