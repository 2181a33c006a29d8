"""The HTML page: self-contained; sorting, filtering, hidden curves, themes and narrow screens in a browser."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from reports import ReportOptions, report
from reports.facts import without_paths
from reports.page import safe_json

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
NASTY = "</script><img src=x onerror=alert(1)>"
LABELS = {"beta": (0.3, 0.5), "alpha": (0.1, 0.2), NASTY: (0.2, 0.9)}
CURVE = [("long", 0.1), ("long", 0.2), ("short", 0.3)]


@pytest.fixture
def page_file(record: Any, tmp_path: Path) -> Path:
    """A page of three labels with per-user values, curves and statistics."""
    generator = np.random.default_rng(0)
    paths = []
    for number, (label, (ndcg, recall)) in enumerate(LABELS.items()):
        per_user = {
            "full/NDCG@10": generator.random(40) * 0.1 + ndcg,
            "full/Recall@10": generator.random(40) * 0.1 + recall,
            "history_length": np.arange(40),
            "target_popularity": np.arange(40),
        }
        values = {"full": {"NDCG@5": ndcg / 2, "NDCG@10": ndcg, "Recall@10": recall}}
        options = {"per_user": per_user, "curve": CURVE, "epochs": 3, "best_epoch": 2, "minutes": number + 1.0}
        stopped = "interrupted" if label == "alpha" else "saturation"
        paths.append(str(record(label, values, name=f"run{number}", stopped_by=stopped, **options)))
    stats = tmp_path / "stats.json"
    described = {"label": NASTY, "hash": "abc", "users": 1234, "curves": {"lengths": {"x": [1, 5], "y": [1, 0.5]}}}
    stats.write_text(json.dumps({"schema": 1, "datasets": [described]}), encoding="utf-8")
    made = report(paths, ReportOptions(report_folder=str(tmp_path / "out"), formats=("html",), stats=(stats,)))
    (written,) = made.write()
    return written


def test_the_page_is_self_contained(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    links: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda _, attributes: links.extend(  # type: ignore[method-assign]
        value or "" for name, value in attributes if name in ("src", "href")
    )
    parser.feed(text)
    assert links and all(link.startswith(("data:", "#part")) for link in links)
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in text


def test_the_page_shows_what_was_dropped(record: Any) -> None:
    data = {"name": "ml-1m", "hash": "abc", "users": 4, "items": 9, "interactions": 40}
    steps = [
        {"step": "rows of the file", "rows": 1234, "users": None, "items": 9},
        {"step": NASTY, "rows": 40, "users": 4},
    ]
    made = report([str(record("a", data={**data, "funnel": steps}))], ReportOptions()).html()
    assert "what was left after each step" in made and "1,234" in made and "<img" not in made
    assert "what was left" not in report([str(record("b", data=data, name="b"))], ReportOptions()).html()
    with pytest.raises(UserError, match="funnel"):
        report([str(record("c", data={**data, "funnel": [{"step": 1}]}, name="c"))], ReportOptions())


def test_labels_are_escaped(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert "<img" not in text
    assert text.count("</script>") == text.count("<script") == 5
    (content,) = re.findall(r'id="content">(.*?)</script>', text, flags=re.DOTALL)
    assert NASTY in json.loads(content)[0]["options"]
    assert json.loads(safe_json({"a": "<!-- & \u2028 é"})) == {"a": "<!-- & \u2028 é"}


def test_the_page_says_what_it_shows_without_scripts(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8").split('id="content"')[0]
    assert "<title>Comparison of 3 models on ml-1m</title>" in text
    assert "3 runs, finished 2026-01-01." in text and "Hardware: cpu. Code: 0.1.0." in text
    assert "4 users, 9 items, 40 interactions" in text
    assert text.index('class="verdict"') < text.index('class="forest wide"') < text.index("<table>")
    assert re.search(r'<td class="value" data-sort="0.3"[^>]*><b>.3000</b>', text)
    assert "lr: 0.1" in text and "python main.py" in text


def test_paths_of_a_machine_are_not_shown() -> None:
    text = "python main.py --dataset_path /home/me/data/a.csv ~/x/b.csv C:\\Users\\me\\c.csv ../shared/d.txt https://host/e/f"
    assert without_paths(text) == ("python main.py --dataset_path a.csv b.csv c.csv ../shared/d.txt https://host/e/f")
    assert without_paths("'runs/*/results.json'") == "'runs/*/results.json'"


def test_invalid_statistics_files_are_errors(record: Any, tmp_path: Path) -> None:
    run, wrong = record("a"), tmp_path / "wrong.json"
    for content, message in (
        ('{"schema": 2}', "not a file of --mode stats"),
        ("{", "not valid JSON"),
        (None, "can't read"),
    ):
        if content is None:
            wrong.unlink()
        else:
            wrong.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            report([str(run)], ReportOptions(stats=(wrong,))).html()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """The page in a browser; `problems` are console messages, errors, dialogs and network requests."""

    def __init__(self, browser: Any, file: Path, width: int = 1200, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append("a dialog"), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.file = file
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("[data-figure=users] svg .series")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith("data:") and request.url.split("#")[0] != self.file.as_uri():
            self.problems.append(request.url)

    def labels(self) -> list[str]:
        """Return the first column of the first table's visible rows."""
        rows = self.page.locator("#part0 table").first.locator("tbody tr:visible td:first-child")
        return [text.removesuffix(" \N{DAGGER}") for text in rows.all_inner_texts()]

    def head(self, name: str) -> Any:
        return self.page.locator("#part0 table").first.get_by_role("button", name=name, exact=True)

    def curves(self) -> list[str]:
        """Return the visible labels of the first chart of the learning curves."""
        drawn = self.page.locator("[data-figure=curves] .plot").first.locator("g.series")
        return [each.get_attribute("data-label") for each in drawn.all()]


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Visit]:
    visit = Visit(browser, page_file)
    yield visit
    visit.context.close()
    assert visit.problems == []


def test_columns_can_be_sorted(visit: Visit) -> None:
    given = ["beta", NASTY, "alpha"]
    assert visit.labels() == given
    visit.head("Recall@10").click()
    assert visit.labels() == [NASTY, "beta", "alpha"]
    assert visit.page.locator("#part0 th[aria-sort=descending]").count() == 1
    visit.head("Recall@10").click()
    assert visit.labels() == ["alpha", "beta", NASTY]
    visit.head("Model").click()
    assert visit.labels() == [NASTY, "alpha", "beta"]
    for _ in range(2):
        visit.head("Model").click()
    assert visit.labels() == given


def test_a_row_opens_the_options_of_its_runs(visit: Visit) -> None:
    details = visit.page.locator("#run0-1")
    assert not details.locator("pre").is_visible()
    visit.page.locator("#part0 tbody tr").nth(1).locator("td").first.click()
    assert details.locator("pre").is_visible()
    visit.page.get_by_label("second run").select_option(index=2)
    assert visit.page.locator(".difference tbody tr").count() == 0  # they differ in nothing


def test_rows_can_be_filtered(visit: Visit) -> None:
    visit.page.get_by_label("Filter rows").fill("ALP \N{DAGGER}")
    assert visit.labels() == ["alpha"]
    assert visit.page.get_by_text("1 of 3 rows").first.is_visible()
    visit.page.get_by_label("Filter rows").fill("")
    assert len(visit.labels()) == 3


def test_curves_can_be_hidden_and_shown(visit: Visit) -> None:
    button = visit.page.locator("[data-figure=curves]").get_by_role("button", name="beta")
    assert sorted(visit.curves()) == sorted(LABELS)
    button.click()
    assert sorted(visit.curves()) == sorted(set(LABELS) - {"beta"})
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert sorted(visit.curves()) == sorted(LABELS)


def test_tooltips_of_values_and_points(visit: Visit) -> None:
    tip = visit.page.get_by_role("tooltip")
    assert tip.is_hidden()
    visit.page.locator("#part0 tbody tr").nth(1).locator("td").nth(1).hover()
    reported = tip.inner_text()
    assert "0.200000" in reported and "p (Holm)" in reported and "beta, 40 users" in reported
    chart = visit.page.locator("[data-figure=curves] .plot svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    visit.page.mouse.move(box["x"] + 75, box["y"] + box["height"] - 50)
    assert "validation NDCG@10" in tip.inner_text()
    visit.page.mouse.move(1, 1)
    assert tip.is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_changed(browser: Any, page_file: Path, scheme: str) -> None:
    visit = Visit(browser, page_file, scheme=scheme)

    def brightness() -> int:
        colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) // 3

    assert (brightness() > 128) == (scheme == "light")
    visit.page.get_by_role("button", name=re.compile("^(Light|Dark)$")).click()
    assert (brightness() > 128) == (scheme == "dark")
    visit.context.close()
    assert visit.problems == []


def test_the_page_fits_a_phone(browser: Any, page_file: Path) -> None:
    visit = Visit(browser, page_file, width=360)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert all(plot.bounding_box()["width"] <= 360 for plot in visit.page.locator(".plot svg").all())
    visit.context.close()
    assert visit.problems == []


@pytest.mark.parametrize("width", [1000, 1400])
def test_the_main_columns_fit_without_scrolling(browser: Any, page_file: Path, width: int) -> None:
    visit = Visit(browser, page_file, width=width)
    wide = "[...document.querySelectorAll('#part0 > .scroll')].every(e => e.scrollWidth <= e.clientWidth)"
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width and visit.page.evaluate(wide)
    shown = [form for form in ("wide", "narrow") if visit.page.locator(f".forest.{form}").first.is_visible()]
    assert shown == ["wide"]
    visit.context.close()
    assert visit.problems == []


def test_the_page_can_be_printed(browser: Any, page_file: Path) -> None:
    visit = Visit(browser, page_file)
    visit.page.emulate_media(media="print")
    visit.page.set_viewport_size({"width": 720, "height": 1000})
    assert not visit.page.locator(".tools").is_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 720
    boxes = [figure.bounding_box() for figure in visit.page.locator("[data-figure=curves] figure").all()]
    assert all(box["width"] < 360 for box in boxes)  # two in a row
    visit.context.close()
    assert visit.problems == []
