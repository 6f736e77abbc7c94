"""Names that are known only late: whether a layer is `h1` or `h1.dense2` depends on its whole statement.

Every value and every set of parameters has a chain of labels (statement, block, layer). The labels of a statement
are settled when all of it has been read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass


@dataclass
class PathPart:
    """One link of a chain. An empty label adds nothing to the path."""

    parent: PathPart | None
    label: str = ""

    @property
    def path(self) -> str:
        """The labels from the outside in, joined by dots."""
        labels: list[str] = []
        part: PathPart | None = self
        while part is not None:
            if part.label:
                labels.append(part.label)
            part = part.parent
        return ".".join(reversed(labels))

    def path_from(self, outer: PathPart | None) -> str | None:
        """The labels from a link further out (None: all of them) to this one; None where it is not below that."""
        labels: list[str] = []
        part: PathPart | None = self
        while part is not outer:
            if part is None:
                return None
            if part.label:
                labels.append(part.label)
            part = part.parent
        return ".".join(reversed(labels))


@dataclass
class Element:
    """A layer or block used in a statement: where its value and where its parameters are named."""

    kind: str
    value: PathPart
    params: PathPart
    has_params: bool = False
    is_block: bool = False


def settle(elements: list[Element], named: bool, taken: Collection[str] = ()) -> None:
    """Label the elements of a statement.

    The last one is the statement's value and takes its name. The only one with parameters gives its parameters the
    statement's name; several are numbered by kind. In an unnamed statement (`output x -> …` of a block) all are
    numbered, and none is called as one of the names that are `taken`.
    """
    totals = Counter(e.kind for e in elements)
    owners = [e for e in elements if e.has_params]
    seen: Counter[str] = Counter()
    for element in elements:
        seen[element.kind] += 1
        only_owner = named and owners == [element]
        only_one = totals[element.kind] == 1 and (named or element.kind not in taken)
        while not named and f"{element.kind}{seen[element.kind]}" in taken:
            seen[element.kind] += 1
        _label(element, seen[element.kind], only_owner=only_owner, only_one=only_one)
    if elements and (not elements[-1].is_block or len(elements) == 1):
        elements[-1].value.label = ""


def _label(element: Element, number: int, *, only_owner: bool, only_one: bool) -> None:
    numbered = f"{element.kind}{number}"
    element.params.label = "" if only_owner else numbered
    unnumbered = only_one and (only_owner or not element.has_params)
    element.value.label = element.kind if unnumbered else numbered
