"""Who may import whom, and what no file may do. The folders are the architecture; this keeps it so."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [
    "common",
    "datasets",
    "dataloaders",
    "models",
    "trainers",
    "evaluation",
    "options",
    "runs",
    "reports",
    "docsgen",
]
PAGE = ROOT / "docs" / "architecture.md"


def table() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(imports, imports for type checkers alone) that the page allows; a dotted name allows that module."""
    allowed, for_types = {}, {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        row = re.fullmatch(r"\| `([\w.]+?)(?:\.py|/)` \|.*\|(.*)\|", line)
        if row and (row[1] in PACKAGES or row[1] == "main"):
            imports, _, types_only = row[2].partition("; as a type:")
            allowed[row[1]] = re.findall(r"`([\w.]+)`", imports)
            for_types[row[1]] = re.findall(r"`([\w.]+)`", types_only)
    return allowed, for_types


ALLOWED, FOR_TYPES_ALONE = table()
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_ATTRIBUTES = {
    ("torch", "load"),
    ("yaml", "load"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
    ("os", "system"),
    ("os", "popen"),
    ("numpy", "load"),  # but with allow_pickle=False
    ("pandas", "read_pickle"),
}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def sources() -> list[Path]:
    """Every Python file of the project but for its tests."""
    found = [ROOT / "main.py"]
    for package in [*PACKAGES, "benchmarks"]:
        found += sorted((ROOT / package).rglob("*.py"))
    return found


def owner(path: Path) -> str:
    """The package that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, bool, int]]:
    """(dotted name, whether for type checkers alone, line) of each import, wherever it stands."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in for_types, node.lineno
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield f"{node.module}.{name.name}", id(node) in for_types, node.lineno


def may(name: str, allowed: list[str]) -> bool:
    """Whether a dotted name is one of the allowed, or inside of one."""
    return any(name == one or name.startswith(one + ".") for one in allowed)


def test_every_folder_with_code_has_its_rule() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(PACKAGES)
    assert set(ALLOWED) == {*PACKAGES, "main"}


@pytest.mark.parametrize("package", ALLOWED)
def test_who_imports_whom(package: str) -> None:
    wrong = []
    for path in sources():
        if owner(path) != package:
            continue
        for name, for_types, line in imports(tree_of(path)):
            if name.split(".")[0] not in {*PACKAGES, "main"}:
                continue
            allowed = [package, *ALLOWED[package], *(FOR_TYPES_ALONE.get(package, []) if for_types else [])]
            # `from models import base` names models.base, too
            if not may(name, allowed):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_in_a_circle() -> None:
    """Also through imports inside functions; those for type checkers alone don't count."""
    modules = {}
    for path in sources():
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {
        module: {
            found
            for name, for_types, _ in imports(tree_of(path))
            if not for_types
            for found in [name if name in modules else name.rpartition(".")[0]]
            if found in modules and found != module
        }
        for module, path in modules.items()
    }
    with_circle: list[str] = []
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        with_circle = error.args[1]
    assert not with_circle, " -> ".join(with_circle)


def test_the_rules_can_be_broken() -> None:
    """The check finds what it is for."""
    tree = ast.parse(
        "import runs.train\nfrom models.vae import VAE\nif TYPE_CHECKING:\n    from dataloaders.batch import Batch\n"
        "def f():\n    from reports import report\n"
    )
    found = list(imports(tree))
    assert [name for name, _, _ in found] == [
        "runs.train", "models.vae.VAE", "dataloaders.batch.Batch", "reports.report",
    ]  # fmt: skip
    assert [for_types for _, for_types, _ in found] == [False, False, True, False]
    assert not may("models.vae.VAE", ALLOWED["trainers"]) and may("models.base.Model", ALLOWED["trainers"])
    assert not may("models.base_other", ALLOWED["trainers"])
    assert list(unsafe(ast.parse("eval('1')"))) and list(unsafe(ast.parse("from os import *")))
    assert list(unsafe(ast.parse("import torch as t\nt.load('x')"))) and list(unsafe(ast.parse("import pickle")))
    assert list(unsafe(ast.parse("subprocess.run('x', shell=True)")))
    assert list(unsafe(ast.parse("import numpy as np\nnp.load('x', allow_pickle=True)")))
    assert not list(unsafe(ast.parse("import numpy as np\nnp.load('x', allow_pickle=False)\nmodel.eval()")))


def unsafe(tree: ast.Module) -> Iterator[str]:
    """What could run code out of data, or hide where a name comes from."""
    aliases = {"np": "numpy", "pd": "pandas"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {name.asname: name.name for name in node.names if name.asname}
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
            if any(name.name == "*" for name in node.names):
                yield f"{node.lineno}: import *"
            for name in node.names:
                if (node.module, name.name) in UNSAFE_ATTRIBUTES:
                    yield f"{node.lineno}: from {node.module} import {name.name}"
        elif isinstance(node, ast.Call):
            yield from unsafe_call(node, aliases)
            continue
        else:
            continue
        for imported in names:
            if imported.split(".")[0] in UNSAFE_MODULES:
                yield f"{node.lineno}: import {imported}"


def unsafe_call(node: ast.Call, aliases: dict[str, str]) -> Iterator[str]:
    """What is wrong with a call."""
    keywords = {word.arg: word.value for word in node.keywords if word.arg}
    for word in ("shell", "allow_pickle"):
        value = keywords.get(word)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
            yield f"{node.lineno}: {word}={ast.unparse(value)}"
    called = node.func
    if isinstance(called, ast.Name) and called.id in UNSAFE_CALLS:
        yield f"{node.lineno}: {called.id}(...)"
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        module = aliases.get(called.value.id, called.value.id)
        safe = module == "numpy" and "allow_pickle" in keywords
        if (module, called.attr) in UNSAFE_ATTRIBUTES and not safe:
            yield f"{node.lineno}: {module}.{called.attr}(...)"


def test_nothing_that_is_read_can_run() -> None:
    """No pickle, no eval, no shell, no `import *`; numpy files only without pickles."""
    wrong = [f"{path.relative_to(ROOT)}:{what}" for path in sources() for what in unsafe(tree_of(path))]
    assert not wrong, "\n".join(wrong)
