"""Names of one function: the shortest that are distinct in it, and none that it reads from outside.

Names of a spec and names of a script can meet only within one function, where `Scope` keeps them apart.
"""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

WORDS = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})
"""What no value may be called."""


class Scope:
    """The names of a function. `taken` are those that it reads from outside, or that are its own arguments."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*WORDS, *taken}
        self.names: dict[Hashable, str] = {}

    def add(self, wanted: Mapping[Hashable, Sequence[str]]) -> None:
        """Name some things: each by the first of the names it might have that no other one has.

        Where several want the same name, all of them take their next one, so that equals are treated alike.
        """
        left = {key: [identifier(name) for name in names] for key, names in wanted.items() if key not in self.names}
        while clashing := self._clashing(left):
            for key in clashing:
                del left[key][0]
        for key, names in left.items():
            self.names[key] = self.free(names[0])

    def _clashing(self, wanted: Mapping[Hashable, Sequence[str]]) -> list[Hashable]:
        """Return the things whose first name another one has, and which have a next one."""
        counts = Counter(names[0] for names in wanted.values())
        clashing = (key for key, names in wanted.items() if counts[names[0]] > 1 or names[0] in self.taken)
        return [key for key in clashing if len(wanted[key]) > 1]

    def free(self, name: str) -> str:
        """Return a name that is free, and take it: the given one, else with `_` or a number behind it."""
        found, number = identifier(name), 1
        if found in WORDS:
            found = name = f"{found}_"
        while found in self.taken:
            number += 1
            found = f"{name}_{number}"
        self.taken.add(found)
        return found


def identifier(name: str) -> str:
    """Return a name that Python takes: one without a letter gets one in front."""
    return name if any(map(str.isalpha, name)) and not name[0].isdigit() else f"v{name}"
