"""Shared by all packages: errors, the base of option schemas, atomic files."""
