"""Hooks of mkdocs (see mkdocs.yml): pages made from the schemas, the list of model cards, and equations as MathML."""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # mkdocs imports this file alone

from docsgen.options_pages import options_pages  # noqa: E402

LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Add the pages that are made here to the navigation, and a fence for equations."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "math", "format": _equation})
    folder = ROOT / "docs" / "models"
    cards = sorted({*folder.glob("*.md")} - {folder / "index.md", folder / "TEMPLATE.md"}, key=_title)
    for entry in config.nav:
        if "Models" in entry:
            entry["Models"] = ["models/index.md", *(f"models/{card.name}" for card in cards)]
        if "Reference" in entry:
            options = ["reference/options/index.md", *(f"reference/options/{name}.md" for name in options_pages())]
            entry["Reference"][0] = {"Options": options}
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the options reference, CONTRIBUTING.md and CHANGELOG.md to the site's pages."""
    pages = {f"reference/options/{name}.md": text for name, text in options_pages().items()}
    pages["contributing.md"] = _moved(ROOT / "CONTRIBUTING.md")
    pages["changelog.md"] = _moved(ROOT / "CHANGELOG.md")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def _title(page: Path) -> str:
    """The first heading of a page, in small letters."""
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").lower()


def _moved(page: Path) -> str:
    """The text of a page of the repository's root, with its links as seen from docs/."""
    moved = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
    return LINK.sub(
        lambda link: f"]({moved.get(link[1], link[1].removeprefix('docs/'))})", page.read_text(encoding="utf-8")
    )


def _equation(source: str, *_: Any, **__: Any) -> str:
    """The LaTeX of a `math` fence as MathML, which browsers show without a script."""
    from latex2mathml.converter import convert  # noqa: PLC0415

    return "".join(f'<div class="equation">{convert(line, display="block")}</div>' for line in source.split("\n\n"))
