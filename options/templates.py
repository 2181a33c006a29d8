"""Templates: YAML files of flat options that may extend others."""

import os
from pathlib import Path

import yaml

from common.files import expanded
from options.origin import Origin
from options.problems import Problems, unknown_choice
from options.values import RawOption
from options.yaml_text import flow, parse_mapping

_SUFFIXES = (".yaml", ".yml")


def template_names(folder: Path) -> list[str]:
    """The names of the templates in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def first_comment(path: Path) -> str:
    """The first line of a template without its `#`, or "" if it isn't a comment."""
    with open(path, encoding="utf-8") as file:
        line = file.readline()
    return line.lstrip("# ").strip() if line.startswith("#") else ""


def find_template(name: str, folder: Path, base: Path) -> Path:
    """The file of a template: `<folder>/<name>.yaml`, or a path (relative to `base`) that ends in .yaml or .yml."""
    if name.endswith(_SUFFIXES):
        return base / expanded(Path(name))
    return folder / f"{name}.yaml"


def read_templates(names: tuple[str, ...], folder: Path, problems: Problems) -> list[RawOption]:
    """Every `key: value` of the templates, lowest priority first: a template comes after those that it extends."""
    reader = _Reader(folder, problems)
    for name in names:
        reader.read(name, Path(), Origin.flag("templates"), ())
    return reader.given


class _Reader:
    """Reads templates and those that they extend."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self.folder, self.problems, self.layer = folder, problems, 0
        self.given: list[RawOption] = []

    def read(self, name: str, base: Path, origin: Origin, above: tuple[Path, ...]) -> None:
        """Read a template after those that it extends; `above` are the files that extend it."""
        path = find_template(name, self.folder, base)
        if not path.is_file():
            self.problems.add(self._missing(name, path), origin)
            return
        if path.resolve() in above:
            chain = " -> ".join(item.stem for item in (*above, path.resolve()))
            self.problems.add(f"templates extend each other in a circle: {chain}", origin)
            return
        shown = self._shown(path)
        try:
            rows = parse_mapping(path.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.add(f"is not valid YAML: {error.problem}", Origin("template", shown, line, path))
            return
        except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
            self.problems.add(f"cannot be read: {error}", Origin("template", shown, None, path))
            return
        if not rows:
            self.problems.add("contains no options", Origin("template", shown, None, path))
        for key, value, line in rows:
            if key == "extends":
                self._extend(value, path, Origin("template", shown, line, path), above)
        self.layer += 1
        self.given += [
            RawOption(key, value, Origin("template", shown, line, path), self.layer)
            for key, value, line in rows
            if key != "extends"
        ]

    def _extend(self, value: object, path: Path, origin: Origin, above: tuple[Path, ...]) -> None:
        names = value if isinstance(value, list) else [value]
        for name in names:
            if isinstance(name, str) and name:
                self.read(name, path.parent, origin, (*above, path.resolve()))
            else:
                self.problems.add("should be the name of a template or a list of names", origin, "extends", flow(value))

    def _missing(self, name: str, path: Path) -> str:
        if name.endswith(_SUFFIXES):
            return f"there is no file {path}"
        if Path(name).is_file() or "/" in name:
            return f"there is no template `{name}`; a path to a template ends in .yaml"
        return unknown_choice("template", name, template_names(self.folder))

    def _shown(self, path: Path) -> str:
        if path.parent == self.folder:
            return f"{self.folder.name}/{path.name}"
        return os.path.relpath(path) if not path.is_absolute() else str(path)
