"""One report for the terminal and as Markdown, CSV and LaTeX."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from reports import Report, ReportOptions, check_folder, free_folder, report


def make(record: Any, **options: Any) -> Report:
    generator = np.random.default_rng(0)
    users = {label: generator.random(50) * 0.2 + shift for label, shift in (("VAE_tw", 0.3), ("a|b_c&d", 0.1))}
    paths = []
    for label, seeds in (("VAE_tw", (0, 1)), ("a|b_c&d", (0,))):
        for seed in seeds:
            values = {
                "full": {"NDCG@10": users[label].mean()},
                "popular": {"NDCG@10": users[label].mean() + 0.01 * seed},
            }
            per_user = {"full/NDCG@10": users[label], "popular/NDCG@10": users[label]}
            paths.append(str(record(label, values, seed=seed, name=f"{len(paths)}", per_user=per_user)))
    return report(paths, ReportOptions(metrics=("NDCG@10",), **options))


def test_markdown_cells_and_emphasis(record: Any) -> None:
    text = make(record, baseline="a|b_c&d").markdown()
    rows = [line for line in text.split("## p-values")[0].splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    assert len({len(row) for row in cells}) == 1
    headings, _, best, base = [[cell.strip() for cell in row] for row in cells]
    assert headings[:4] == ["Model", "Seeds", "full NDCG@10", "popular 100 NDCG@10"]
    assert re.fullmatch(r"\*\*\.\d{4}\*\* ± \.0000\\\* \(\+\d+\.\d %\)", best[2])
    assert re.fullmatch(r"<ins>\.\d{4}</ins>", base[2])
    assert base[0] == r"a\|b\_c&d"
    assert best[headings.index("popular 100 published")].startswith(r".4284 \[1\] (")
    assert "ESAPR" in text
    assert "paired t-test over users, Holm-corrected over the 2 comparisons" in text
    assert "popular 100: the target is ranked among 100 popularity-sampled negatives." in text
    assert "| full | NDCG@10 | VAE\\_tw | a\\|b\\_c&d | 50 |" in text


def test_csv_has_full_precision(record: Any) -> None:
    made = make(record, baseline="a|b_c&d")
    rows = {row["label"]: row for row in csv.DictReader(io.StringIO(made.csv()))}
    cells = {row.label: row.cells for row in made.tables[0].rows}
    best = rows["VAE_tw"]
    assert list(best)[13:16] == ["full NDCG@10", "full NDCG@10 sd", "full NDCG@10 gain %"]
    assert float(best["full NDCG@10"]) == cells["VAE_tw"][0].mean
    assert float(best["popular 100 NDCG@10 sd"]) == cells["VAE_tw"][1].deviation
    assert float(best["full NDCG@10 gain %"]) == pytest.approx(cells["VAE_tw"][0].gain * 100)
    assert float(best["full NDCG@10 p (Holm)"]) == cells["VAE_tw"][0].comparison.corrected
    assert float(best["popular 100 NDCG@10 published"]) == 0.4284
    assert best["seeds"] == "0 1"
    assert best["filter_seen"] == "true"
    assert rows["a|b_c&d"]["full NDCG@10 sd"] == ""


@pytest.mark.parametrize("label", ["=1+1", "@SUM(A1)", "-2", "+3", " =4"])
def test_no_csv_cell_is_a_formula(record: Any, label: str) -> None:
    text = report([str(record(label, name="r"))], ReportOptions()).csv()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["label"] == f"'{label}"


def test_files_stay_in_the_folder_of_the_report(record: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    data = {"name": "../../ESCAPED", "hash": "abc", "users": 4, "items": 9, "interactions": 40}
    paths = [str(record("../../$x_$", name="a", data=data)), str(record("b", name="b", data=data))]
    folder = tmp_path / "out"
    made = report(paths, ReportOptions(report_folder=str(folder), formats=("png", "latex", "markdown")))
    written = made.write()
    assert written and all(path.parent == folder and path.is_file() for path in written)
    assert all(folder in path.parents for path in tmp_path.rglob("*ESCAPED*"))


def test_latex_has_balanced_braces_and_columns(record: Any) -> None:
    text = make(record).latex()
    tables = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, flags=re.S)
    assert len(tables) == 2  # the table and its p-values
    for table in tables:
        assert table.count("{") - table.count(r"\{") == table.count("}") - table.count(r"\}")
        columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", table)[1])
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        for line in lines:
            spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            ampersands = len(re.findall(r"(?<!\\)&", line))
            assert ampersands + 1 - len(spans) + sum(spans) == columns
    assert r"a|b\_c\&d" in text
    assert r"\textbf{." in text
    assert re.search(r"\\underline\{\.\d{4}\}\$\^\{\*\}\$", text)
    assert r"\toprule" in text
    assert text.isascii()


def test_terminal_output_has_colours_only_on_request(record: Any) -> None:
    made = make(record)
    plain = made.terminal()
    assert "\x1b" not in plain
    assert "ml-1m, leave_one_out, test, seen items filtered" in plain
    assert next(line for line in plain.splitlines() if "VAE_tw" in line).count("1,234,567") == 1
    assert "\x1b[1m" in made.terminal(colour=True)


def test_columns_that_do_not_fit_are_moved_below(record: Any) -> None:
    made = make(record)
    wide, narrow = made.terminal(), made.terminal(width=60)
    assert max(map(len, narrow.splitlines())) <= 60
    assert "…" not in narrow
    numbers = re.findall(r"[\d.,]*\d", wide.split("Best in bold")[0])
    assert sorted(re.findall(r"[\d.,]*\d", narrow.split("Best in bold")[0])) == sorted(numbers)
    assert narrow.count("VAE_tw") > wide.count("VAE_tw")


def test_requested_files_are_written(record: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "tables"
    made = make(record, report_folder=str(folder), formats=("csv", "markdown"))
    assert made.write() == [folder / "report.csv", folder / "report.md"]
    assert sorted(path.name for path in folder.iterdir()) == ["report.csv", "report.json", "report.md"]
    assert (folder / "report.md").read_text(encoding="utf-8") == made.markdown()
    assert (folder / "report.csv").read_text(encoding="utf-8") == made.csv()


def test_no_report_replaces_one_of_other_runs(record: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    a, b, c = (record(name) for name in "abc")
    report([str(a), str(b)], ReportOptions(report_folder=str(folder), formats=("csv",))).write()
    check_folder(folder, [a, b, c])  # it has all of them, and one more
    with pytest.raises(UserError, match=r"has a report of other runs: give another --report_folder, or --overwrite"):
        check_folder(folder, [a, c])
    assert free_folder(folder, [b, a]) == folder and free_folder(folder, [c]) == tmp_path / "out-2"
    (folder / "report.json").unlink()
    assert free_folder(folder, [a, b]) == tmp_path / "out-2"  # made by an earlier version


def test_nothing_is_written_without_a_folder(record: Any) -> None:
    assert make(record).write() == []
