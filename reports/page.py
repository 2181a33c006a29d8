"""The self-contained HTML page: the files in `page/` and the report's content as JSON, in one file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reports.chart import Figure
from reports.layout import Grid, Text

PARTS = Path(__file__).with_name("page")
SCRIPTS = ("tables.js", "axes.js", "charts.js", "page.js")  # in order of execution
# JSON in a script element must not end the element or start a comment.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True)
class Section:
    """A section of the page with its tables and figures."""

    title: str
    subtitle: str
    grids: tuple[Grid, ...]
    figures: tuple[Figure, ...]


def draw_page(title: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML."""
    content = {
        "title": title,
        "sections": [
            {
                "title": section.title,
                "subtitle": section.subtitle,
                "grids": [_grid(grid) for grid in section.grids],
                "figures": [asdict(figure) for figure in section.figures],
            }
            for section in sections
        ],
    }
    parts = {
        "<!-- style -->": f"<style>\n{_part('page.css')}</style>",
        "<!-- content -->": f'<script type="application/json" id="content">{safe_json(content)}</script>',
        "<!-- scripts -->": "\n".join(f"<script>\n{_part(name)}</script>" for name in SCRIPTS),
    }
    page = _part("page.html")
    for place, part in parts.items():
        before, after = page.split(place)
        page = before + part + after
    return page


def safe_json(content: Any) -> str:
    """Return JSON that is safe inside a script element: ASCII without <, > and &."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for letter, escape in ESCAPES.items():
        text = text.replace(letter, escape)
    return text


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "title": grid.title,
        "groups": grid.groups,
        "headings": grid.headings,
        "rows": [[_cell(text) for text in row] for row in grid.rows],
        "notes": grid.notes,
    }


def _cell(text: Text) -> dict[str, Any]:
    """Return a cell without its empty fields."""
    return {
        name: value for name, value in asdict(text).items() if value not in (None, "", False, ()) or name == "value"
    }


@cache
def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
