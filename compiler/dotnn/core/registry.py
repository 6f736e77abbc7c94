"""How a layer, op, loss, … joins: by being a module-level object in a file of its family's folder."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from typing import Protocol, TypeVar


class Named(Protocol):
    """Anything that a registry can hold."""

    @property
    def name(self) -> str:
        """Return the name under which the language or the compiler knows it."""
        ...


T = TypeVar("T", bound=Named)


def collect(package: str, search_path: list[str], kind: type[T], found: dict[str, T] | None = None) -> dict[str, T]:
    """Return every `kind` object defined at module level in the modules of `package`, by name; add them to `found`.

    A new member is a new file; nothing else has to be edited. Two members of one name are a programming error.
    """
    found = {} if found is None else found
    for info in sorted(pkgutil.iter_modules(search_path), key=lambda i: i.name):
        module = importlib.import_module(f"{package}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, kind) and found.setdefault(value.name, value) is not value:
                raise RuntimeError(f"{package}: two members are called {value.name!r}")
    return found


def file_names(package: str, *, without: str = "base") -> list[str]:
    """Return the names of the modules of a package, sorted, without importing it: those of its members.

    A registry of which this is asked has one member in each file, under the name of the file.
    """
    parent, _, name = package.rpartition(".")
    found = importlib.util.find_spec(parent)
    assert found is not None and found.submodule_search_locations is not None
    folders = [str(Path(place) / name) for place in found.submodule_search_locations]
    return sorted(info.name for info in pkgutil.iter_modules(folders) if info.name != without)
