"""Typed options: one schema per component, merged from defaults < templates < command line. Imports `common` alone."""

from common.errors import OptionsError
from options.origin import Origin
from options.parse import parse
from options.registries import Registries
from options.resolved import HelpRequested, Resolved

__all__ = ["HelpRequested", "OptionsError", "Origin", "Registries", "Resolved", "parse"]
