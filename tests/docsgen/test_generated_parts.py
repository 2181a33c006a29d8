"""The generated parts of README.md and docs/ are up to date, and each model has a card in the form of TEMPLATE.md."""

import re
import shlex
from pathlib import Path

import pytest

from datasets import SPLITS
from docsgen.__main__ import main
from docsgen.cards import card_results
from docsgen.commands import command
from docsgen.parts import CARDS, ROOT, card_parts, missing_cards
from docsgen.records import Group, recorded_runs
from models import MODELS
from reports.block import with_block
from runs.api import configure
from runs.commands import load_registries

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def groups() -> tuple[Group, ...]:
    return recorded_runs(RESULTS)


def headings(path: Path) -> list[str]:
    """The `##` headings of a page."""
    return re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_card_results_are_up_to_date() -> None:
    outdated = [part.path.name for part in card_parts() if len(set(with_block(part.path, part.name, part.text))) > 1]
    assert not outdated, "run python -m docsgen"


@pytest.mark.parametrize("code", MODELS)
def test_each_model_has_a_card(code: str) -> None:
    assert code not in missing_cards(), "copy docs/models/TEMPLATE.md"
    assert re.fullmatch(rf"# .+ \(`{code}`\)", (CARDS / f"{code}.md").read_text(encoding="utf-8").splitlines()[0])


def test_card_shows_recorded_values(groups: tuple[Group, ...]) -> None:
    group = next(group for group in groups if group.label == "MARank")
    text = card_results("marank", groups)
    assert f"{group.runs[0].record.test['full']['NDCG@10']:.4f}".removeprefix("0") in text
    assert "| MARank | pop-100 | .3548 | .5993 |" in text  # published


def test_card_without_runs_says_so(groups: tuple[Group, ...]) -> None:
    assert card_results("none", groups).startswith("No run of this model")


def test_check_reports_outdated_parts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    part = card_parts()[0]
    monkeypatch.setattr("docsgen.__main__.missing_cards", list)
    monkeypatch.setattr("docsgen.__main__.all_parts", lambda: [part])
    assert main(["--check"]) == 0
    monkeypatch.setattr("docsgen.__main__.all_parts", lambda: [type(part)(part.path, part.name, "other")])
    assert main(["--check"]) == 1
    assert "run python -m docsgen" in capsys.readouterr().err


def template_headings() -> list[str]:
    return headings(CARDS / "TEMPLATE.md")


@pytest.mark.parametrize("code", [code for code in MODELS if code not in missing_cards()])
def test_card_has_the_form_of_the_template(code: str) -> None:
    text = (CARDS / f"{code}.md").read_text(encoding="utf-8")
    assert headings(CARDS / f"{code}.md") == template_headings()
    assert "```math\n" in text
    for row in ("paper", "code", "needs", "new users"):
        assert f"\n| {row} | " in text


@pytest.mark.parametrize("code", [code for code in MODELS if code not in missing_cards()])
def test_card_names_existing_options(code: str) -> None:
    known = {key for _, _, schema in load_registries().everything() for key in schema.model_fields}
    text = (CARDS / f"{code}.md").read_text(encoding="utf-8")
    part = text.partition("## Options that matter")[2].partition("## Results")[0]
    first_cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    named = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert set(named) <= known


def test_each_command_repeats_its_run(groups: tuple[Group, ...]) -> None:
    """The command of a recorded run resolves to its recorded options."""
    for group in groups[::7]:
        run = group.runs[0]
        options = run.record.options
        data = f"--dataset_code {options['dataset_code']}"
        if options.get("dataset_path"):
            data += f" --dataset_path {Path(options['dataset_path']).name}"
        shared = dict(zip(["dataset_code", "dataset_path"], data.split()[1::2], strict=False))
        values = configure(shlex.split(command(run, shared, data))).values()
        for key in ("lr", "max_len", "hidden_units", "train_batch_size", "num_threads", "seed", "loss", "l2"):
            if key in options and key in values:
                assert values[key] == options[key], f"{run.path.name}: {key}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_readme_names_every_model_and_split() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [code for code in [*MODELS, *SPLITS] if f"`{code}`" not in text]
