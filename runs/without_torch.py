"""Read options, and run commands that compute nothing, without loading torch, which takes seconds.

Models, dataloaders and trainers declare their options beside code that needs torch. While options are read, `import
torch` gives a stand-in: its classes can be derived from, and its values can be computed with, but it does nothing. If
torch itself is needed after that, all modules of this project that were imported meanwhile are imported again. Some
slow packages are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

REPLACED = frozenset({"torch", "safetensors"})  # safetensors.torch imports torch
DEFERRED = frozenset(
    {"pandas", "pooch", "pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "requests", "scipy.sparse"}
)
PROJECT = frozenset(
    {"common", "options", "datasets", "dataloaders", "models", "evaluation", "trainers", "reports", "runs"}
)
_OPERATORS = (  # on stand-ins, in constants of modules
    *("add", "sub", "mul", "truediv", "floordiv", "pow", "mod", "or"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rpow", "rmod", "ror"),
    *("neg", "getitem", "lt", "le", "gt", "ge"),
)


class StandInError(Exception):
    """A module can't be imported without torch itself."""


class _StandInType(ABCMeta):
    """The type of `StandIn`: whatever is done with it gives a stand-in again."""

    def __getattr__(cls, name: str) -> Any:
        if cls is not StandIn or name.startswith("__"):
            raise AttributeError(name)
        return StandIn

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if _Finder.torch_is_refused:
            raise RuntimeError("this command uses torch: set needs_torch=True in its Command")
        return super().__call__(*args, **kwargs)


class StandIn(metaclass=_StandInType):
    """Stands for any class, function or value of a package that is not loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return StandIn()

    def __getattr__(self, name: str) -> Any:
        if type(self) is not StandIn or name.startswith("__"):
            raise AttributeError(name)
        return StandIn


for _name in _OPERATORS:
    for _owner in (_StandInType, StandIn):
        setattr(_owner, f"__{_name}__", lambda *operands: StandIn)


class _StandInModule(types.ModuleType):
    """A module whose attributes are stand-ins."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn


class _DeferredModule(types.ModuleType):
    """A module that is loaded when an attribute is first read."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        for part in [key for key in sys.modules if key.rpartition(".")[0] == self.__name__]:  # those loaded before it
            vars(module).setdefault(part.rpartition(".")[2], sys.modules[part])
        vars(self).update(vars(module))
        return getattr(module, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins for the packages in REPLACED, and loads the modules in DEFERRED at their first use."""

    torch_is_refused = False

    def __init__(self) -> None:
        self.deferred: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] in REPLACED:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        if fullname in DEFERRED and fullname not in self.deferred:
            self.deferred.add(fullname)
            found = importlib.machinery.PathFinder.find_spec(fullname, path)
            if found is not None:
                spec = importlib.machinery.ModuleSpec(fullname, self, is_package=True)
                spec.submodule_search_locations = found.submodule_search_locations
                return spec
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        if spec.name not in DEFERRED:
            return _StandInModule(spec.name)
        module = _DeferredModule(spec.name)
        module.__path__ = spec.submodule_search_locations or []
        return module

    def exec_module(self, module: types.ModuleType) -> None: ...


@contextmanager
def without_torch() -> Iterator[bool]:
    """What is imported in the block sees a stand-in for torch, and is forgotten after it.

    Yields
    ------
    bool
        Whether that is so; False if torch is loaded already, and nothing changes.
    """
    if "torch" in sys.modules:
        yield False
        return
    finder, before = _Finder(), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield True
    finally:
        sys.meta_path.remove(finder)
        _Finder.torch_is_refused = False
        for name in set(sys.modules) - before:
            package, module = name.partition(".")[0], sys.modules[name]
            if (
                package in REPLACED | PROJECT
                or isinstance(module, _DeferredModule)
                or (package in PROJECT and _saw_stand_in(module))
            ):
                _forget(name)


def refuse_torch() -> None:
    """From here to the end of the block, using the stand-in is an error."""
    _Finder.torch_is_refused = True


def _saw_stand_in(module: types.ModuleType) -> bool:
    """Whether a module has a stand-in among its values."""
    return any(isinstance(value, _StandInModule | _StandInType | StandIn) for value in vars(module).values())


def _forget(name: str) -> None:
    del sys.modules[name]
    package, _, module = name.rpartition(".")
    if module in vars(sys.modules.get(package, object)):
        delattr(sys.modules[package], module)
