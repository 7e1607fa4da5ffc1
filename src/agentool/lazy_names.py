"""Import a package's names at their first use, so that catching one of its errors does not load all its models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def lazy_names(package: str, *modules: str) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` that looks for a name in these modules, in this order. Put light modules first."""

    def find(name: str) -> Any:
        if not name.startswith("__") and find_spec(f"{package}.{name}") is None:  # a submodule is imported, not looked for
            for module in modules:
                found = vars(import_module(f"{package}.{module}"))
                if name in found:
                    return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find


def names_at_home(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` that imports each name from its module in `homes`."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)  # the next access does not come here
        return found

    return find
