"""The self-contained HTML page: tables as HTML, figures as data that the scripts in `page/` draw, in one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from reports.chart import Figure
from reports.layout import Grid, Text

PARTS = Path(__file__).with_name("page")
SCRIPTS = ("tables.js", "axes.js", "charts.js", "page.js")  # in order of execution
LATE = ("Epochs", "Memory MiB", "Device")  # columns that only wide screens show
SHORT = 2  # characters after a value that stay beside it on narrow screens
# JSON in a script element must not end the element or start a comment.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True)
class RunFacts:
    """What is shown of a row on request: facts (name, value), and the options of its first run."""

    label: str
    facts: tuple[tuple[str, str], ...]
    options: dict[str, str]


@dataclass(frozen=True)
class Section:
    """A section of the page: a picture as SVG, tables (all but the first folded), the runs, and figures."""

    title: str
    subtitle: str
    grids: tuple[Grid, ...]
    figures: tuple[Figure, ...]
    picture: str = ""
    runs: tuple[RunFacts, ...] = ()


def draw_page(title: str, facts: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the page as HTML; `facts` are lines below its title."""
    content = [
        {
            "title": section.title,
            "figures": section.figures,
            "options": {run.label: run.options for run in section.runs},
        }
        for section in sections
    ]
    parts = {
        "<!-- style -->": f"<style>\n{_part('page.css')}</style>",
        "<!-- title -->": escape(title),
        "<!-- facts -->": "\n".join(f"<p>{escape(fact)}</p>" for fact in facts),
        "<!-- nav -->": "\n".join(
            f'<a href="#part{number}">{escape(section.title)}</a>' for number, section in enumerate(sections)
        ),
        "<!-- body -->": "\n".join(_section(section, number) for number, section in enumerate(sections)),
        "<!-- content -->": f'<script type="application/json" id="content">{safe_json(content)}</script>',
        "<!-- scripts -->": "\n".join(f"<script>\n{_part(name)}</script>" for name in SCRIPTS),
    }
    page = _part("page.html")
    for place, part in parts.items():
        pieces = page.split(place)
        page = part.join(pieces)
    return page


def safe_json(content: Any) -> str:
    """Return JSON that is safe inside a script element: ASCII without <, > and &. Dataclasses become objects."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), default=vars)
    for letter, code in ESCAPES.items():
        text = text.replace(letter, code)
    return text


def _section(section: Section, number: int) -> str:
    parts = [f'<section id="part{number}">', f"<h2>{escape(section.title)}</h2>"]
    if section.subtitle:
        parts.append(f'<p class="subtitle">{escape(section.subtitle)}</p>')
    for place, grid in enumerate(section.grids):
        if place:
            parts.append(f"<details><summary>{escape(_short(grid, section))}</summary>{_grid(grid)}</details>")
            continue
        parts += [f'<p class="verdict">{escape(sentence)}</p>' for sentence in grid.verdict]
        parts += [section.picture, _grid(grid, f"run{number}-" if section.runs else "")]
    if section.runs:
        parts.append(_runs(section.runs, number))
    parts += [
        f'<div class="place" data-section="{number}" data-number="{n}"></div>' for n in range(len(section.figures))
    ]
    if section.figures:
        parts.append('<noscript><p class="notes">The charts of this section need JavaScript.</p></noscript>')
    return "\n".join([*parts, "</section>"])


def _short(grid: Grid, section: Section) -> str:
    """The title of a folded table without that of the section's first one, and the number of its rows."""
    whole = section.grids[0].title
    title = grid.title.removeprefix(f"{whole}: ").removesuffix(f": {whole}")
    rows = "1 row" if len(grid.rows) == 1 else f"{len(grid.rows)} rows"
    return f"{title[0].upper()}{title[1:]} ({rows})"


def _grid(grid: Grid, details: str = "") -> str:
    """Return a table with its notes; `details` is the start of the ids of the rows' details, "" if there are none."""
    classes = [
        f"{kind} late" if heading in LATE else kind for heading, kind in zip(grid.headings, grid.kinds, strict=True)
    ]
    head = ""
    if any(grid.groups):
        cells = []
        for group, members in groupby(zip(grid.groups, classes, strict=True)):
            kind = "named" if group[0] else group[1]
            cells.append(f'<th class="{kind}" colspan="{len(list(members))}">{escape(group[0])}</th>')
        head = f'<tr class="groups">{"".join(cells)}</tr>'
    named = [
        f'<th scope="col" class="{kind}">{escape(heading)}</th>'
        for heading, kind in zip(grid.headings, classes, strict=True)
    ]
    head += f"<tr>{''.join(named)}</tr>"
    rows = []
    for number, row in enumerate(grid.rows):
        cells = [_cell(text, kind) for text, kind in zip(row, classes, strict=True)]
        target = f' data-details="{details}{number}"' if details else ""
        rows.append(f"<tr{target}>{''.join(cells)}</tr>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in grid.notes)
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table><thead>{head}</thead><tbody>\n{body}\n</tbody></table></div>'
        f'<p class="count" hidden></p><ul class="notes">{notes}</ul>'
    )


def _cell(text: Text, kind: str) -> str:
    value = escape(text.value)
    if text.bold:
        value = f"<b>{value}</b>"
    if text.underlined:
        value = f"<u>{value}</u>"
    size = "after long" if len(text.after) > SHORT else "after"
    after = f'<span class="{size}">{escape(text.after)}</span>' if text.after else ""
    sort = f' data-sort="{text.sort!r}"' if text.sort is not None else ""
    hover = f" data-hover='{escape(json.dumps(text.hover))}'" if text.hover else ""
    return f'<td class="{kind}"{sort}{hover}>{value}{after}</td>'


def _runs(runs: Sequence[RunFacts], number: int) -> str:
    """Return the folded details of the rows' runs."""
    blocks = []
    for place, run in enumerate(runs):
        facts = "".join(f"<dt>{escape(what)}</dt><dd>{escape(value)}</dd>" for what, value in run.facts)
        options = "\n".join(f"{key}: {value}" for key, value in run.options.items())
        blocks.append(
            f'<details id="run{number}-{place}"><summary>{escape(run.label)}</summary><dl>{facts}</dl>'
            f'<pre class="options">{escape(options)}</pre></details>'
        )
    return (
        f'<details class="runs" data-section="{number}"><summary>Options and commands of the runs</summary>\n'
        + "\n".join(blocks)
        + "</details>"
    )


@cache
def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
