"""How a layer, op, loss, … joins: by being a module-level object in a file of its family's folder.

Other packages have members, too: what their modules hold joins the same registries, once a spec uses the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar


class Named(Protocol):
    """Anything that a registry can hold."""

    @property
    def name(self) -> str:
        """Return the name under which the language or the compiler knows it."""
        ...


class Clash(Exception):
    """A package has a member whose name another one has: `kind` says what it is, `name` how it is called."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"{kind} {name}")


T = TypeVar("T", bound=Named)


@dataclass
class _Registry:
    """One registry: what it holds, which objects belong in it, and which packages the foreign ones are from."""

    kind: type
    found: dict[str, Any]
    wanted: Callable[[Any], bool]
    origin: dict[str, str] = field(default_factory=dict)

    def takes(self, value: object) -> bool:
        return isinstance(value, self.kind) and self.wanted(value)


_registries: list[_Registry] = []
_joined: dict[str, tuple[Named, ...]] = {}
_modules: dict[str, ModuleType] = {}


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
    return _open(kind, found, lambda value: True)


def file_names(package: str, *, without: str = "base") -> list[str]:
    """Return the names of the modules of a package, sorted, without importing it: those of its members.

    A registry of which this is asked has one member in each file, under the name of the file.
    """
    parent, _, name = package.rpartition(".")
    found = importlib.util.find_spec(parent)
    assert found is not None and found.submodule_search_locations is not None
    folders = [str(Path(place) / name) for place in found.submodule_search_locations]
    return sorted(info.name for info in pkgutil.iter_modules(folders) if info.name != without)


def chosen(registry: Mapping[str, T], kind: type[T], wanted: Callable[[T], bool]) -> dict[str, T]:
    """Return the members of a registry for which `wanted` holds, those of packages that join later among them."""
    return _open(kind, {name: member for name, member in registry.items() if wanted(member)}, wanted)


def _open(kind: type[T], found: dict[str, T], wanted: Callable[[T], bool]) -> dict[str, T]:
    """Let the members of other packages join a registry, now and later."""
    if all(registry.found is not found for registry in _registries):
        _registries.append(_Registry(kind, found, wanted))
        for package, members in _joined.items():
            _add(_registries[-1], package, members)
    return found


def _add(registry: _Registry, package: str, members: Collection[Named]) -> None:
    for member in filter(registry.takes, members):
        registry.found[member.name] = member
        registry.origin[member.name] = package


def join(package: str, module: ModuleType) -> None:
    """Let all members that a package's modules hold join their registries. Raises `Clash`, then none has joined."""
    if package in _joined:
        return
    objects = {id(value): value for each in modules_of(module) for value in vars(each).values()}
    known = {id(value) for registry in _registries for value in registry.found.values()}
    members = [value for key, value in objects.items() if key not in known]
    for registry in _registries:
        for member in filter(registry.takes, members):
            if member.name in registry.found:
                raise Clash(registry.kind.__name__.lower(), member.name)
    kinds = tuple({registry.kind for registry in _registries})
    _joined[package] = tuple(m for m in members if isinstance(m, kinds) or _is_member(m))
    _modules[package] = module
    for registry in _registries:
        _add(registry, package, _joined[package])


def _is_member(value: object) -> bool:
    """Whether an object may belong in a registry that nobody has asked for yet."""
    return isinstance(getattr(value, "name", None), str) and not isinstance(value, type | ModuleType)


def modules_of(module: ModuleType) -> Iterator[ModuleType]:
    """Yield a module and, of a package, all modules in it but those of its `script`, which are text to be pasted."""
    yield module
    for info in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if info.name != "script":
            yield from modules_of(importlib.import_module(f"{module.__name__}.{info.name}"))


def scripts() -> tuple[str, ...]:
    """Return the packages whose functions are pasted into scripts: `script` in each that has joined and has one."""
    names = (f"{module.__name__}.script" for module in _modules.values() if hasattr(module, "__path__"))
    return tuple(name for name in names if importlib.util.find_spec(name) is not None)


def module_of(package: str) -> ModuleType:
    """Return the module that a package with members is."""
    return _modules[package]


def origin(member: Named) -> str:
    """Return the package that a member is from, "" for one of the library."""
    return next((p for p, members in _joined.items() if any(m is member for m in members)), "")


@contextmanager
def seen(packages: Collection[str]) -> Iterator[None]:
    """Let the registries hold, of the members of packages, only those of `packages` meanwhile."""
    hidden: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for registry in _registries:
        away = [name for name, package in registry.origin.items() if package not in packages]
        hidden.append((registry.found, {name: registry.found.pop(name) for name in away}))
    try:
        yield
    finally:
        for found, members in hidden:
            found.update(members)
