"""Repeated blocks: a loop over equal copies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from dotnn.codegen import tree
from dotnn.core.diagnostics import Span
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.signatures import Signatures

FEW_COPIES = 3
"""So many copies of a block are named one by one."""


class Copies(Signatures):
    """Finds the copies of a block that a loop can run through, forward and backward."""

    def copies(self, items: Sequence[Item]) -> dict[Call, list[Call]]:
        """Return the runs of equal copies of a block, by their first call, where a loop can run through them."""
        found: dict[Call, list[Call]] = {}
        run: list[Call] = []
        for item in [*items, None]:
            if isinstance(item, Call) and item.use and run and self._goes_on(run[-1], item):
                run.append(item)
                continue
            if len(run) > 1:
                found[run[0]] = list(run)
            run = [item] if isinstance(item, Call) and item.use else []
        return found

    def _goes_on(self, one: Call, other: Call) -> bool:
        """Whether a call does the same as the one before it, with what that has made alone."""
        if one.use is None or other.use is None or one.use.span != other.use.span:
            return False
        first, second = sorted((one, other), key=self._places.__getitem__)
        alike = self.served[one] is self.served[other] and self._alike[one.use.span]
        return alike and self._chained(first, second)

    def _chained(self, first: Call, second: Call) -> bool:
        """Whether a call reads what another one makes, and nobody else does; each has its own parameters, or none."""
        before, after = self.flow.frames[first], self.flow.frames[second]
        handed_on = len(before.leaving) == 1 and list(before.leaving) == list(after.entering)
        own = bool(second.params) or not before.params
        return handed_on and own and not self._shown & before.leaving.keys()

    @cached_property
    def _places(self) -> dict[Call, int]:
        """Where calls stand in the forward function."""
        return {item: at for at, item in enumerate(self.call.forward) if isinstance(item, Call)}

    @cached_property
    def _shown(self) -> set[int]:
        """The numbers of the values that somebody else reads."""
        return {v.id for v in self.flow.graph.outputs.values()} | self.frame.saved.keys()

    @cached_property
    def _alike(self) -> dict[Span, bool]:
        """Whether the copies of a block that are made at one place all go back alike, in a row."""
        copies: dict[Span, list[Call]] = {}
        for call in self.children:
            if call.use is not None:
                copies.setdefault(call.use.span, []).append(call)
        back = {item: at for at, item in enumerate(self.call.backward) if isinstance(item, Call)}
        return {span: self._back_alike(some, back) for span, some in copies.items()}

    def _back_alike(self, copies: Sequence[Call], back: Mapping[Call, int]) -> bool:
        """Whether all copies go back in a row, or none does."""
        places = [back[c] for c in copies if c in back]
        if not places:
            return True
        in_a_row = len(places) == len(copies) and max(places) - min(places) == len(places) - 1
        return in_a_row and all(self._sent_alike(c) for c in copies)

    def _sent_alike(self, call: Call) -> bool:
        frame = self.flow.frames[call]
        keyed = [v for v in frame.sent.values() if self.writers[call].keyed(v)]
        back = self.served[call].backward
        one = len(frame.returning) == 1 and back is not None and len(back.results) <= 1
        single = all(len(self.final_entries.get(v.id, [])) == 1 for v in keyed)
        return one and len(frame.sent) - len(keyed) <= 1 and single

    def _loop(self, copies: Sequence[Call], *steps: tree.Stmt) -> tree.For:
        keys = [self.child_keys[c] for c in copies]
        numbered = _numbered(keys)
        if numbered is None or len(keys) <= FEW_COPIES:
            names = ", ".join(f'"{key}"' for key in keys)
            return tree.For(f"for n in ({names})", tuple(steps))
        prefix, order = numbered
        return tree.For(f"for i in {order}", (tree.assign("n", f'f"{prefix}{{i}}"'), *steps))


def _numbered(keys: Sequence[str]) -> tuple[str, str] | None:
    """Return what keys have in common before a number, and the range of the numbers; None for other keys."""
    found = [m for key in keys if (m := re.fullmatch(r"(.*?)(\d+)", key))]
    if len(found) < len(keys) or len({m[1] for m in found}) != 1:
        return None
    numbers = [int(m[2]) for m in found]
    order = f"range({min(numbers)}, {max(numbers) + 1})"
    return found[0][1], order if numbers == sorted(numbers) else f"reversed({order})"
