"""One report for the terminal and as Markdown and CSV."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from reports import Report, ReportOptions, check_folder, free_folder, report
from reports.numbers import number


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


def make_again(record: Any, **options: Any) -> Report:
    """`make` once more, of the files that it has written."""
    folder = Path(str(record.folder))
    paths = sorted(str(path) for path in folder.glob("[0-9]/results.json"))
    return report(paths, ReportOptions(metrics=("NDCG@10",), **options))


def test_markdown_cells_and_emphasis(record: Any) -> None:
    text = make(record, baseline="a|b_c&d").markdown()
    rows = [line for line in text.split("### Published")[0].splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    assert len({len(row) for row in cells}) == 1
    headings, _, best, base = [[cell.strip() for cell in row] for row in cells]
    assert headings[:4] == ["Model", "full NDCG@10", "pop-100 NDCG@10", "Seeds"]
    assert re.fullmatch(r"\*\*\.\d{4}\*\* ± \.0000\\\* \(\+\d+\.\d %\)", best[1])
    assert re.fullmatch(r"<ins>\.\d{4}</ins>", base[1])
    assert base[0] == r"a\|b\_c&d"
    assert re.search(r"\| VAE\\_tw \| pop-100 NDCG@10 \| \.\d{4} \| \.4284 \| \S[\d.]+ % \| ESAPR, results of", text)
    assert "paired t-test over users, Holm-corrected over the 2 comparisons" in text
    assert "pop-100: the target is ranked among 100 popularity-sampled negatives." in text
    assert "| full ranking | NDCG@10 | VAE\\_tw | a\\|b\\_c&d | 50 |" in text


def test_csv_has_full_precision(record: Any) -> None:
    made = make(record, baseline="a|b_c&d")
    rows = {row["label"]: row for row in csv.DictReader(io.StringIO(made.csv()))}
    cells = {row.label: row.cells for row in made.tables[0].rows}
    best = rows["VAE_tw"]
    assert list(best)[13:16] == ["full NDCG@10", "full NDCG@10 sd", "full NDCG@10 gain %"]
    assert float(best["full NDCG@10"]) == cells["VAE_tw"][0].mean
    assert float(best["pop-100 NDCG@10 sd"]) == cells["VAE_tw"][1].deviation
    assert float(best["full NDCG@10 gain %"]) == pytest.approx(cells["VAE_tw"][0].gain * 100)
    assert float(best["full NDCG@10 p (Holm)"]) == cells["VAE_tw"][0].comparison.corrected
    assert float(best["pop-100 NDCG@10 published"]) == 0.4284
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


def test_terminal_output_has_colours_only_on_request(record: Any) -> None:
    made = make(record)
    plain = made.terminal()
    assert "\x1b" not in plain
    assert "ml-1m, leave_one_out, test, seen items filtered" in plain
    assert next(line for line in plain.splitlines() if "VAE_tw" in line).count("1,234,567") == 1
    assert "\x1b[1m" in made.terminal(colour=True)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_tables_fit_the_width_and_lose_no_metric(record: Any, width: int) -> None:
    text = make(record, intervals=0.95).terminal(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and "published" not in text.lower()
    numbers = {row.label: [cell.mean for cell in row.cells] for row in make_again(record).tables[0].rows}
    for value in (value for values in numbers.values() for value in values):
        assert re.search(rf"(^| ){re.escape(number(value))}\b", text, flags=re.MULTILINE)
    assert ("Not shown at this width: " in text) == (width < 120)


def test_numbers_of_a_column_stand_below_each_other(record: Any) -> None:
    lines = [line for line in make(record).terminal(100).splitlines() if re.match(r"VAE_tw|a\|b", line)][:2]
    assert len({line.index(".") for line in lines}) == 1, lines


def test_columns_are_chosen(record: Any) -> None:
    made = make(record, columns=("minutes", "published"))
    head = made.terminal(60).splitlines()[3]
    assert head.split() == ["Model", "NDCG@10", "NDCG@10", "Minutes"]
    assert "Published figures" in made.terminal(60) and "Not shown" not in made.terminal(60)
    assert "Published figures" not in make_again(record, columns=()).markdown()
    assert "| Model | full NDCG@10 | pop-100 NDCG@10 |\n" in make_again(record, columns=()).markdown()


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
