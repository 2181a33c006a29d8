"""Typed options: one schema per component, merged from defaults < templates < command line."""

from common.errors import OptionsError
from options.parse import parse
from options.registries import Registries
from options.request import HelpRequested, Request

__all__ = ["HelpRequested", "OptionsError", "Registries", "Request", "parse"]
