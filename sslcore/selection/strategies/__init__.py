"""Strategies by name: each file here with a constant ``STRATEGY`` is one. All pick copies last."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from sslcore.selection.copies import copies_last
from sslcore.selection.picks import Strategy

__all__ = ["PICKERS", "STRATEGIES"]


def _found() -> dict[str, Strategy]:
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)}
    found = {name: module.STRATEGY for name, module in sorted(modules.items()) if hasattr(module, "STRATEGY")}
    return {name: copies_last(strategy) for name, strategy in found.items()}


PICKERS: Mapping[str, Strategy] = MappingProxyType(_found())

STRATEGIES: Mapping[str, str] = MappingProxyType({name: found.about for name, found in PICKERS.items()})
