"""Python packages that add members to the language: `use package_name` in a spec, the entry point `dotnn.members`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from dotnn.core import registry

GROUP = "dotnn.members"
"""The group of entry points; each names a module, and is called as a spec shall call the package."""


class NoPackage(Exception):
    """A package cannot be used; the text says why."""


@dataclass(frozen=True)
class Package:
    """What a spec uses: the name that it says, and the version of what is installed."""

    name: str
    version: str


def installed() -> dict[str, EntryPoint]:
    """Return the packages with members, by the names that specs call them by."""
    return {point.name: point for point in entry_points(group=GROUP)}


def join_all() -> None:
    """Let the members of all packages join, of those that can: a target is asked for before the spec is read."""
    for name in installed():
        with suppress(NoPackage):
            joined(name)


@cache
def joined(name: str) -> Package:
    """Return a package, whose members have joined the registries. Raises `NoPackage`."""
    point = installed()[name]
    try:
        registry.join(name, point.load())
    except registry.Clash as clash:
        raise NoPackage(f"its {clash.kind} {clash.name} has the name of another one") from None
    except Exception as error:  # the code of others may fail in any way
        raise NoPackage(f"{type(error).__name__}: {error}") from None
    return Package(name, point.dist.version if point.dist else "")
