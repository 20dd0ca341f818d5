"""Names of a package that are imported when they are first used."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["names_from"]


def names_from(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's ``__getattr__``.

    Args:
        package: Its name.
        modules: The module in it that each name comes from; none may be called like a name.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get
