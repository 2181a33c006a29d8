"""The LaTeX of a report: aligned numbers, labels, captions, escapes; compiled where pdflatex is."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import MODELS
from reports import Report, ReportOptions, report
from reports.citations import WORKS, bibliography
from reports.latex import MOST_COLUMNS, MOST_ROWS, caption_of, escape, latex
from reports.layout import Grid, Text

GRID = Grid(
    title="ml-1m, test",
    groups=("", "full", ""),
    headings=("Model", "NDCG@10", "Parameters"),
    kinds=("name", "value", "cost"),
    rows=(
        (Text("a_b & c"), Text(".4284", " ± .0010*", bold=True), Text("1,234,567")),
        (Text(r"x\y{z}$%#~^|<>"), Text(".3123", underlined=True), Text("any")),
        (Text("[c]"), Text("\N{MINUS SIGN}.0100"), Text("12")),
    ),
    notes=("* better, p < .05.",),
)
SUBSAMPLE = {"min_uc": 5, "min_sc": 5, "min_rating": 0.0, "subsample_users": 2000, "max_items": None}


def make(record: Any, options: dict[str, Any] | None = None, **chosen: Any) -> Report:
    values = {"a_b": 0.4, "c&d": 0.3, "[e]": 0.2}
    paths = [
        str(record(label, {"full": {"NDCG@10": value + seed / 100}}, seed=seed, options=options))
        for label, value in values.items()
        for seed in (0, 1)
    ]
    return report(paths, ReportOptions(**chosen))


def compiled(text: str, folder: Path) -> str:
    """Compile the tables as a paper has them and return the log."""
    (folder / "tables.tex").write_text(text, encoding="utf-8")
    (folder / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\usepackage{graphicx}\usepackage{siunitx}"
        r"\begin{document}\input{tables}\end{document}",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "-draftmode", "paper.tex"]
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def test_latex_of_a_small_table() -> None:
    text = latex([(GRID, "Users & items.")])
    assert r"\caption{Users \& items.}" in text and r"\label{tab:ml-1m-test}" in text
    assert "  S[table-format=-1.4, " in text and r"table-space-text-post={ $\pm$ 0.0010$^{*}$}]" in text
    assert "  S[table-format=7, " in text
    assert r" & \multicolumn{1}{c}{full} & \multicolumn{1}{c}{} \\" in text and r"\cmidrule(lr){2-2}" in text
    assert r"Model & {NDCG@10} & {Parameters} \\" in text
    assert r"a\_b \& c & \bfseries 0.4284 {\mdseries $\pm$ 0.0010$^{*}$} & 1234567 \\" in text
    assert r"& 0.3123 {\llap{\underline{\phantom{0.3123}}}} & {any} \\" in text
    assert r"{[}c] & -0.0100 & 12 \\" in text
    assert text.isascii()


def test_no_latex_command_comes_from_a_label() -> None:
    assert escape(r"\input{x}%_#&$~^") == (r"\textbackslash{}input\{x\}\%\_\#\&\$\textasciitilde{}\textasciicircum{}")


def test_labels_of_tables_differ() -> None:
    text = latex([(GRID, "a"), (GRID, "b"), (GRID, "c")])
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:ml-1m-test", "tab:ml-1m-test-2", "tab:ml-1m-test-3"]


def test_captions_say_the_data_and_the_subsample(record: Any) -> None:
    assert caption_of(make(record, SUBSAMPLE).tables[0]) == (
        "ml-1m: leave-one-out split, test, seen items filtered; 4 users, 9 items, 40 interactions; users with at least "
        "5 interactions, items with at least 5; subsampled: 2,000 users drawn at random."
    )


def test_latex_has_the_chosen_columns(record: Any) -> None:
    text = make(record, columns=("epochs",)).latex()
    assert r"Model & {NDCG@10} & {Epochs} \\" in text


def two_datasets(record: Any, **chosen: Any) -> Report:
    paths = [
        str(
            record(
                label, {"full": {"NDCG@10": value}}, name=f"{label}-{name}", model_code=code, options=options, data=data
            )
        )
        for name, options in (("ml-1m", {"min_uc": 5}), ("beauty", {"min_uc": 5, "subsample_users": 3}))
        for data in ({"name": name, "hash": name[:2], "users": 4, "items": 9, "interactions": 40},)
        for label, value, code in (("SASRec", 0.4, "sas"), ("Pop", 0.3, "pop"))
        if (label, name) != ("Pop", "beauty")
    ]
    return report(paths, ReportOptions(**chosen))


def test_models_by_datasets_come_first_and_are_cited(record: Any) -> None:
    text = two_datasets(record).latex()
    first = text.split(r"\end{table}")[0]
    assert (
        r"\caption{Models by datasets: leave-one-out split, test, seen items filtered; 4 users, 9 items, "
        r"40 interactions; users with at least 5 interactions. beauty: subsampled: 3 users drawn at random.}"
    ) in first
    assert r"\multicolumn{1}{c}{beauty} & \multicolumn{1}{c}{ml-1m}" in first
    assert r"SASRec~\cite{kang2018self} & 0.4000 & \bfseries 0.4000 \\" in first
    assert r"Pop & {--} & 0.3000 {\llap{\underline{\phantom{0.3000}}}} \\" in first
    assert r"\label{tab:models-by-datasets-leave-one-out}" in first
    assert "Models by datasets" not in make(record).latex()


def test_the_bibliography_has_what_is_cited(record: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    made = two_datasets(record, report_folder=str(folder), formats=("latex",))
    assert made.write() == [folder / "report.tex", folder / "report.bib"]
    text = (folder / "report.bib").read_text(encoding="utf-8")
    assert re.findall(r"@misc\{(\w+),", text) == ["kang2018self"]
    assert "title = {Self-Attentive Sequential Recommendation}" in text


def test_works_are_of_models_and_have_one_key_each() -> None:
    assert WORKS.keys() <= MODELS.keys()
    assert len({work.key for work in WORKS.values()}) == len(set(WORKS.values()))
    text = bibliography(WORKS)
    assert text.count("{") == text.count("}") and text.isascii()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_pdflatex_compiles_a_report(record: Any, tmp_path: Path) -> None:
    log = compiled(latex([(GRID, "Users & items.")]) + two_datasets(record).latex(), tmp_path)
    assert "multiply defined" not in log and "Overfull" not in log


def test_long_tables_are_divided() -> None:
    rows = tuple((Text(f"m{number}"), Text(".1"), Text("1")) for number in range(MOST_ROWS + 1))
    text = latex([(replace(GRID, rows=rows, notes=("The note.",)), "Users.")])
    assert text.count(r"\begin{table}") == 2 and text.count("The note.") == 1
    assert text.index(r"\caption{Users. Continued.}") < text.index(f"m{MOST_ROWS}")


def test_many_datasets_share_several_tables(record: Any) -> None:
    paths = []
    for number in range(MOST_COLUMNS + 1):
        data = {"name": f"data{number}", "hash": f"{number}", "users": 4, "items": 9, "interactions": 40}
        for label in ("a", "b"):
            values = {"full": {"NDCG@10": 0.1}}
            paths.append(str(record(label, values, name=f"{label}-{number}", data=data)))
    text = report(paths, ReportOptions()).latex()
    assert text.count(r"\caption{Models by datasets") == 2
