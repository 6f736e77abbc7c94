"""Statements may be written in any order: this finds one in which every name is defined before it is used."""

from __future__ import annotations

from collections.abc import Mapping


class Circle(Exception):
    """Definitions that depend on each other; `names` in the order of dependence."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(" -> ".join(names))


def dependency_order(reads: Mapping[str, set[str]]) -> list[str]:
    """Return the names so that what each one reads comes before it, otherwise in the order given.

    Iterative, so that a chain of thousands of definitions cannot exhaust the stack. Raises `Circle`.
    """
    done: dict[str, None] = {}
    open_names: dict[str, None] = {}
    for root in reads:
        stack = [(root, False)]
        while stack:
            name, finished = stack.pop()
            if finished:
                open_names.pop(name)
                done[name] = None
            elif name not in done:
                if name in open_names:
                    raise Circle(_circle(list(open_names), name))
                open_names[name] = None
                stack.append((name, True))
                stack.extend((n, False) for n in sorted(reads[name], reverse=True) if n in reads and n not in done)
    return list(done)


def _circle(path: list[str], name: str) -> list[str]:
    return path[path.index(name) :]
